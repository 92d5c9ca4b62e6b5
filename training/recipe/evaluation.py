"""The sections of a recipe on evaluation, explanation, export and the model card."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pacs_ai.coverage import INCOMPLETE_ABOVE
from pacs_ai.model.applicability import EVERYTHING, Applicability
from training.recipe.strict import Strict


class Evaluation(Strict):
    """Evaluation on the test split.

    ``resamples`` is the number of bootstrap draws of patients for each 95 % interval, ``bins`` the
    number of bins of the reliability diagram. ``operating_point`` is the rule for the threshold,
    which is chosen on the validation split: ``youden`` maximises sensitivity + specificity;
    ``sensitivity`` requires a sensitivity of at least ``target`` and maximises specificity, and
    ``specificity`` the other way round. ``calibrate`` fits a temperature on the validation split.
    ``confidence`` is the share of studies whose prediction set holds the true answer; the limits of
    the sets come from the validation split.
    Each subgroup in ``subgroups`` with at least ``smallest_group`` patients gets its own figures.
    The report shows the ``worst`` most confident errors. ``views = "flips"`` evaluates and exports
    the mean of the network over the flips of an image that ``[augmentation]`` permits.
    """

    resamples: int = Field(default=2000, ge=100, le=100_000)
    bins: int = Field(default=10, ge=2, le=100)
    operating_point: Literal["youden", "sensitivity", "specificity"] = "youden"
    target: float | None = Field(default=None, gt=0.0, lt=1.0)
    calibrate: bool = True
    confidence: float = Field(default=0.9, ge=0.5, lt=1.0)
    subgroups: tuple[str, ...] = ("modality", "maker", "sex", "age", "site")
    smallest_group: int = Field(default=10, ge=1)
    worst: int = Field(default=12, ge=0, le=100)
    views: Literal["one", "flips"] = "one"

    @model_validator(mode="after")
    def _has_target_if_needed(self) -> Self:
        if (self.target is None) != (self.operating_point == "youden"):
            raise ValueError("target belongs to operating_point sensitivity or specificity")
        return self


class Explanation(Strict):
    """Heat maps, feature maps, and how faithful the heat maps are.

    ``images`` is the number of test images with overlays (evenly from the classes). ``layers`` are
    the layers whose feature maps are shown; empty takes a few over the depth. ``channels`` is the
    number of maps of each layer. Activation maximisation runs ``steps`` steps. Deletion and
    insertion use ``curve_images`` images and ``curve_steps`` steps; deleted pixels are replaced by
    the image blurred with ``blur`` (relative to the side).
    """

    images: int = Field(default=12, ge=1, le=200)
    layers: tuple[str, ...] = ()
    channels: int = Field(default=16, ge=1, le=256)
    steps: int = Field(default=96, ge=1, le=4096)
    curve_images: int = Field(default=64, ge=1)
    curve_steps: int = Field(default=16, ge=2, le=256)
    blur: float = Field(default=0.08, gt=0.0, le=0.5)


class Export(Strict):
    """Export to a bundle.

    ``parity_limit`` is the largest allowed difference of a logit or feature between the trained and
    the exported network, relative to the largest value; ``auc_limit`` is that of the AUC of a
    class. Both are measured on ``probe_images`` images of the validation split.
    ``calibration_images`` images of the training split give the ranges of the int8 quantisation.
    ``applicability`` says what the model is for (body part, view, ...). With ``prediction_sets``
    the node leaves a finding undetermined if its prediction set does not hold one answer (see
    ``confidence``). ``outlier`` says what the
    node does with images unlike those of training: ``flag`` or ``withhold``; ``none`` switches it
    off. ``incomplete_above`` is a share of the images of a study: if the node could not analyse
    more than that, it reports the study as incompletely analysed.
    """

    parity_limit: float = Field(default=1e-4, gt=0.0, le=1e-2)
    auc_limit: float = Field(default=1e-3, ge=0.0, le=0.1)
    probe_images: int = Field(default=64, ge=1)
    calibration_images: int = Field(default=128, ge=1)
    applicability: Applicability = EVERYTHING
    prediction_sets: bool = True
    outlier: Literal["flag", "withhold", "none"] = "flag"
    incomplete_above: float = Field(default=INCOMPLETE_ABOVE, ge=0.0, le=1.0)


class Card(Strict):
    """Texts of the model card that only a person can write.

    They answer items of CLAIM (2024) and TRIPOD+AI (2024) that no program can measure. An empty
    text appears in the card as "not stated".
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
