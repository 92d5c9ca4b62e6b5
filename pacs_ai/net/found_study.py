"""Studies as a peer describes them in its answers to a query."""

from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

WANTED = (
    "StudyInstanceUID",
    "StudyDate",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
"""Attributes that are asked for: none of them is of the patient."""


@dataclass(frozen=True, slots=True)
class FoundStudy:
    """A study as an archive describes it; what it does not tell is "", empty or None."""

    study_instance_uid: str
    study_date: str
    modalities: tuple[str, ...]
    series: int | None
    instances: int | None


def found_study(match: Dataset) -> FoundStudy:
    """Read a match of a query."""
    modalities = match.get("ModalitiesInStudy") or ()
    return FoundStudy(
        str(match.get("StudyInstanceUID", "")),
        str(match.get("StudyDate") or ""),
        (modalities,) if isinstance(modalities, str) else tuple(map(str, modalities)),
        _number(match.get("NumberOfStudyRelatedSeries")),
        _number(match.get("NumberOfStudyRelatedInstances")),
    )


def is_keyword(text: str) -> bool:
    """Tell whether DICOM has an attribute with this keyword (PS3.6)."""
    return tag_for_keyword(text) is not None


def _number(value: object) -> int | None:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return None
