"""The keys of a bundle's ``model.toml``. An unknown key is an error."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pacs_ai.coverage import ALL_IMAGES, INCOMPLETE_ABOVE
from pacs_ai.domain import ClassSpec, Code, ModelIdentity
from pacs_ai.model.aggregation import Aggregation
from pacs_ai.model.applicability import EVERYTHING, Applicability
from pacs_ai.model.outlier import OutlierEntry
from pacs_ai.model.quantisation import QuantisationReport
from pacs_ai.model.reference import REFERENCE
from pacs_ai.model.spec import InputSpec
from pacs_ai.prediction_sets import AnswerKind, PredictionSets

FIRST_FORMAT, FORMAT = 1, 2

SELF_TEST = "selftest.npz"
"""The self-test sample of a bundle; see `pacs_ai.model.self_test`."""


_Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CodeEntry(_Strict):
    """A coded concept in ``model.toml``."""

    value: str = Field(min_length=1, max_length=16)
    scheme: str = Field(min_length=1, max_length=16)
    meaning: str = Field(min_length=1, max_length=64)


class ClassEntry(_Strict):
    """One output of the network, in its order.

    ``undetermined`` is a band [low, high) around ``threshold``. A probability in it gives no
    decision.
    """

    name: str = Field(min_length=1, max_length=64)
    positive: bool
    threshold: float = Field(ge=0.0, le=1.0)
    undetermined: tuple[float, float] | None = None
    code: CodeEntry

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.undetermined is not None:
            low, high = self.undetermined
            around = self.positive and 0.0 <= low <= self.threshold <= high <= 1.0
            if not around or low == high:
                raise ValueError(
                    "undetermined must be [low, high] around the threshold of a positive class"
                )
        return self


class ConformalEntry(_Strict):
    """Section ``[conformal]``: the limits of `PredictionSets`, a value for each class."""

    confidence: float = Field(ge=0.5, lt=1.0)
    answers: AnswerKind
    lowest: tuple[_Probability, ...]
    highest: tuple[_Probability, ...] = ()

    def sets(self) -> PredictionSets:
        """Return the limits as the node uses them."""
        return PredictionSets.from_dict(self.model_dump())

    def fault(self, classes: int) -> str:
        """Say what is wrong for a model of so many classes, "" if nothing is."""
        of_findings = classes if self.answers == "findings" else 0
        fits = (len(self.lowest), len(self.highest)) == (classes, of_findings)
        return "" if fits else "conformal needs a value for each class (highest: of findings only)"


class Manifest(_Strict):
    """The whole of ``model.toml``.

    ``format`` is 1, or 2 with the keys that came later; a node that does not know the format of a
    bundle refuses it. ``aggregation`` combines the images of a study
    (`pacs_ai.model.aggregation`). With ``conformal`` a finding is undetermined where its prediction
    set does not hold one answer. ``unexplained`` says why the model has no heat maps; "" if it has
    them. ``temperature`` divides the logits before ``activation``. Without ``applicability`` and
    ``outlier`` no image is outside. ``incomplete_above`` is a share of a study's images: if more of
    them were not analysed, the study counts as incompletely analysed, and no finding counts as
    absent. ``quantisation`` says what a network of reduced precision loses; one of eight bits needs
    it. ``sha256`` holds the hash of each file.
    """

    format: Literal[1, 2]
    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=64)
    manufacturer: str = Field(min_length=1, max_length=64)
    description: str = Field(max_length=1024)
    activation: Literal["softmax", "sigmoid"]
    aggregation: Aggregation
    unexplained: str = Field(default="", max_length=256)
    temperature: float = Field(gt=0.0, le=100.0)
    input: InputSpec
    applicability: Applicability = EVERYTHING
    outlier: OutlierEntry | None = None
    incomplete_above: float = Field(default=INCOMPLETE_ABOVE, ge=0.0, le=1.0)
    conformal: ConformalEntry | None = None
    quantisation: QuantisationReport | None = None
    classes: tuple[ClassEntry, ...] = Field(min_length=1)
    sha256: dict[str, str]

    @model_validator(mode="after")
    def _format(self) -> Self:
        if self.format == FIRST_FORMAT and self._newer_keys():
            raise ValueError(f"{', '.join(self._newer_keys())}: these need format = {FORMAT}")
        if self.conformal is not None and (wrong := self.conformal.fault(len(self.classes))):
            raise ValueError(wrong)
        return self

    def identity(self, network_sha256: str, manifest_sha256: str) -> ModelIdentity:
        """Return what reports state about the model; its runtime is not known yet."""
        sets = None if self.conformal is None else self.conformal.sets()
        return ModelIdentity(
            name=self.name,
            version=self.version,
            manufacturer=self.manufacturer,
            sha256=network_sha256,
            activation=self.activation,
            aggregation=self.aggregation,
            preprocess=self.input.preprocess,
            input_size=(self.input.height, self.input.width),
            classes=tuple(
                ClassSpec(
                    name=entry.name,
                    code=Code(entry.code.value, entry.code.scheme, entry.code.meaning),
                    threshold=entry.threshold,
                    positive=entry.positive,
                    undetermined=_band(entry, index, sets),
                )
                for index, entry in enumerate(self.classes)
            ),
            temperature=self.temperature,
            modalities=self.input.modalities,
            manifest_sha256=manifest_sha256,
            incomplete_above=self.incomplete_above,
            images=self.input.images,
            unexplained=self.unexplained,
            sets=sets,
        )

    def _newer_keys(self) -> list[str]:
        """Name what a node that knows only the first format would not serve as it is meant."""
        said = {
            "aggregation": self.aggregation not in ("max", "mean"),
            "input.images": self.input.images != ALL_IMAGES,
            "input.eight_bits": self.input.full_range,
            "unexplained": bool(self.unexplained),
            "conformal": self.conformal is not None,
            f"sha256 of {SELF_TEST}": SELF_TEST in self.sha256,
            f"sha256 of {REFERENCE}": REFERENCE in self.sha256,
        }
        return [key for key, used in said.items() if used]


def _band(entry: ClassEntry, index: int, sets: PredictionSets | None) -> tuple[float, float] | None:
    """Return the range that leaves a class undetermined: its own one, and that of its set."""
    of_set = sets.band(index, entry.threshold) if sets is not None and entry.positive else None
    ranges = [each for each in (entry.undetermined, of_set) if each is not None]
    if not ranges:
        return None
    return min(low for low, _ in ranges), max(high for _, high in ranges)
