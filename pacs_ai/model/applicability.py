"""What a model was made for, and which images lie outside of it."""

import fnmatch
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pacs_ai.domain import InstanceHeader

_Pixels = Annotated[int, Field(ge=1)]
_Years = Annotated[float, Field(ge=0)]


class Misfit(StrEnum):
    """In what an image lies outside the intended use; a few words without values."""

    BODY_PART = "other body part"
    VIEW = "other view"
    PHOTOMETRIC = "other photometric interpretation"
    SIZE = "other image size"
    AGE = "other patient age"


class Applicability(BaseModel):
    """Section ``[applicability]`` of a bundle: what the model was trained for.

    A key that is left out excludes no image. An image that does not state an attribute is not
    outside because of it: most radiographs name no body part. The modality stands in ``[input]``;
    the model never gets images of other modalities.

    Parameters
    ----------
    outside
        ``flag``: the image is analysed and the report says so. ``refuse``: it is not analysed.
    body_parts
        Body Part Examined (0018,0015), globs; case and surrounding space do not count.
    views
        View Position (0018,5101), likewise.
    photometrics
        Photometric Interpretation (0028,0004).
    side
        Least and greatest number of pixels of the shorter and of the longer side.
    age_years
        Least and greatest age of the patient at the examination, both included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outside: Literal["flag", "refuse"] = "flag"
    body_parts: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    photometrics: tuple[str, ...] = ()
    side: tuple[_Pixels, _Pixels] | None = None
    age_years: tuple[_Years, _Years] | None = None

    def misfits(self, header: InstanceHeader) -> tuple[Misfit, ...]:
        """Return in what an image lies outside the intended use; empty if in nothing.

        Parameters
        ----------
        header
            The image.
        """
        reasons = (
            (_unlike(header.body_part, self.body_parts), Misfit.BODY_PART),
            (_unlike(header.view_position, self.views), Misfit.VIEW),
            (_unlike(header.photometric, self.photometrics), Misfit.PHOTOMETRIC),
            (self._wrong_size(header), Misfit.SIZE),
            (self._wrong_age(header), Misfit.AGE),
        )
        return tuple(reason for wrong, reason in reasons if wrong)

    def refusal(self, header: InstanceHeader) -> str:
        """Say why the model may not get an image; "" if it may."""
        return ", ".join(self.misfits(header)) if self.outside == "refuse" else ""

    def _wrong_size(self, header: InstanceHeader) -> bool:
        if self.side is None:
            return False
        shorter, longer = sorted((header.rows, header.columns))
        return shorter < self.side[0] or longer > self.side[1]

    def _wrong_age(self, header: InstanceHeader) -> bool:
        age = header.age_years
        return (
            self.age_years is not None
            and age is not None
            and not self.age_years[0] <= age <= self.age_years[1]
        )


EVERYTHING = Applicability()
"""Excludes nothing: the default of a bundle."""


def _unlike(value: str, patterns: Sequence[str]) -> bool:
    said = value.strip().upper()
    if not said or not patterns:
        return False
    return not any(fnmatch.fnmatchcase(said, pattern.strip().upper()) for pattern in patterns)
