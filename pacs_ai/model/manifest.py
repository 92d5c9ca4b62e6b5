"""The keys of a bundle's ``model.toml``. An unknown key is an error."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pacs_ai.coverage import INCOMPLETE_ABOVE
from pacs_ai.model.applicability import EVERYTHING, Applicability
from pacs_ai.model.outlier import OutlierEntry
from pacs_ai.model.quantisation import QuantisationReport
from pacs_ai.model.spec import InputSpec


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


class Manifest(_Strict):
    """The whole of ``model.toml``.

    ``temperature`` divides the logits before ``activation``. Without ``applicability`` and
    ``outlier`` no image is outside. ``incomplete_above`` is a share of a study's images: if more of
    them were not analysed, the study counts as incompletely analysed, and no finding counts as
    absent. ``quantisation`` says what a network of reduced precision loses; one of eight bits needs
    it. ``sha256`` holds the hash of each file.
    """

    format: Literal[1]
    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=64)
    manufacturer: str = Field(min_length=1, max_length=64)
    description: str = Field(max_length=1024)
    activation: Literal["softmax", "sigmoid"]
    aggregation: Literal["max", "mean"]
    temperature: float = Field(gt=0.0, le=100.0)
    input: InputSpec
    applicability: Applicability = EVERYTHING
    outlier: OutlierEntry | None = None
    incomplete_above: float = Field(default=INCOMPLETE_ABOVE, ge=0.0, le=1.0)
    quantisation: QuantisationReport | None = None
    classes: tuple[ClassEntry, ...] = Field(min_length=1)
    sha256: dict[str, str]
