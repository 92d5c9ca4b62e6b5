"""The part of a recipe that says how a model is judged, explained, and packed."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pacs_ai.coverage import INCOMPLETE_ABOVE
from pacs_ai.model.applicability import EVERYTHING, Applicability
from training.recipe.data import Strict


class Evaluation(Strict):
    """How good a model is, and how sure one may be of that.

    ``resamples`` is the number of bootstrap draws over patients behind every 95 % interval;
    ``bins`` that of the reliability diagram. ``operating_point`` says how the threshold is chosen
    on the validation split: ``youden`` takes the highest sensitivity + specificity, ``sensitivity``
    and ``specificity`` the best other one that still reaches ``target``. ``calibrate`` fits a
    temperature there, too. Every subgroup in ``subgroups`` with at least ``smallest_group``
    patients gets figures of its own. The report shows the ``worst`` most confident errors.
    """

    resamples: int = Field(default=2000, ge=100, le=100_000)
    bins: int = Field(default=10, ge=2, le=100)
    operating_point: Literal["youden", "sensitivity", "specificity"] = "youden"
    target: float | None = Field(default=None, gt=0.0, lt=1.0)
    calibrate: bool = True
    subgroups: tuple[str, ...] = ("modality", "maker", "sex", "age", "site")
    smallest_group: int = Field(default=10, ge=1)
    worst: int = Field(default=12, ge=0, le=100)

    @model_validator(mode="after")
    def _target_where_needed(self) -> Self:
        if (self.target is None) != (self.operating_point == "youden"):
            raise ValueError("target belongs to operating_point sensitivity or specificity")
        return self


class Explanation(Strict):
    """What the network looks at, and whether that means anything.

    ``images`` of the test split are drawn as overlays (evenly from classes). ``layers`` are those
    whose feature maps are shown; empty takes a few along the depth. ``channels`` of each get a
    picture. Activation maximisation runs ``steps``. Deletion and insertion take ``curve_images``
    images and ``curve_steps`` steps, and blur with ``blur`` (share of the side) what is taken away.
    """

    images: int = Field(default=12, ge=1, le=200)
    layers: tuple[str, ...] = ()
    channels: int = Field(default=16, ge=1, le=256)
    steps: int = Field(default=96, ge=1, le=4096)
    curve_images: int = Field(default=64, ge=1)
    curve_steps: int = Field(default=16, ge=2, le=256)
    blur: float = Field(default=0.08, gt=0.0, le=0.5)


class Export(Strict):
    """What an exported network may differ by, and what it is made smaller with.

    ``parity_limit`` is the largest difference of any logit or feature, relative to the largest
    value the trained network gives; ``auc_limit`` that of any class's AUC. Both are measured on
    ``probe_images`` of the validation split. ``calibration_images`` of the training split tell the
    int8 quantisation the range of each layer. ``applicability`` says in the bundle what the model
    was made for (body part, view, ...), and ``outlier`` what the node does with images unlike
    those of training: ``flag`` or ``withhold``; ``none`` fits no statistics. ``incomplete_above``
    is the share of a study's images that the node did not look at above which it calls the study
    incompletely analysed.
    """

    parity_limit: float = Field(default=1e-4, gt=0.0, le=1e-2)
    auc_limit: float = Field(default=1e-3, ge=0.0, le=0.1)
    probe_images: int = Field(default=64, ge=1)
    calibration_images: int = Field(default=128, ge=1)
    applicability: Applicability = EVERYTHING
    outlier: Literal["flag", "withhold", "none"] = "flag"
    incomplete_above: float = Field(default=INCOMPLETE_ABOVE, ge=0.0, le=1.0)


class Card(Strict):
    """What only a person can say of a model; the model card quotes it.

    Items of CLAIM (2024) and TRIPOD+AI (2024) that no program can measure. What is left empty
    stands in the card as "not stated", so that nobody takes silence for an answer.
    """

    banner: str = ""
    intended_use: str = ""
    out_of_scope: str = ""
    population: str = ""
    reference_standard: str = ""
    ethics: str = ""
    funding: str = ""
    limits: tuple[str, ...] = ()
    data_licence: str = ""
    data_citation: tuple[str, ...] = ()
    contact: str = ""
