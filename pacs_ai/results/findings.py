"""What a report of ours says, read back from the object."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, numbers, text

_GROUP = "125007"
_TRACKING = "112039"
_FINDING = "121071"
_PRESENCE = "121052"
_AT_PEAK = "point at the peak of the heat map"


@dataclass(frozen=True, slots=True)
class Finding:
    """One class at one level of a report.

    ``level`` is ``study`` or names an image; ``probability`` is in [0, 1]; ``present`` is None
    for a class that is not decided upon. ``peak`` is where the heat map is strongest, (column,
    row) in pixels of the instance ``sop_instance_uid``, None where the report does not say.
    """

    name: str
    level: str
    probability: float
    present: bool | None
    peak: tuple[float, float] | None
    sop_instance_uid: str


def read_findings(report: Dataset) -> list[Finding]:
    """Read the findings of a report, in its order: what counts for the study comes first.

    Parameters
    ----------
    report
        A structured report made by `pacs_ai.results.sr`.
    """
    return [_finding(group) for group in _groups(report)]


def _groups(item: Dataset) -> list[Dataset]:
    found = []
    for child in items(item, "ContentSequence"):
        found += [child] if _concept(child) == _GROUP else _groups(child)
    return found


def _finding(group: Dataset) -> Finding:
    content = {_concept(item): item for item in items(group, "ContentSequence")}
    tracking = text(content.get(_TRACKING, Dataset()), "TextValue")
    level, _, _ = tracking.rpartition(" / ")[2].partition(":")
    presence = _meaning(content.get(_PRESENCE, Dataset()), "ConceptCodeSequence").lower()
    number = next(
        item for item in items(group, "ContentSequence") if items(item, "MeasuredValueSequence")
    )
    value = numbers(items(number, "MeasuredValueSequence")[0], "NumericValue")[0]
    point = items(number, "ContentSequence")[0]
    x, y = numbers(point, "GraphicData")
    image = items(items(point, "ContentSequence")[0], "ReferencedSOPSequence")[0]
    return Finding(
        name=_meaning(content.get(_FINDING, Dataset()), "ConceptCodeSequence"),
        level=level,
        probability=value / 100,
        present=presence == "present" if presence else None,
        peak=(x, y) if tracking.endswith(_AT_PEAK) else None,
        sop_instance_uid=text(image, "ReferencedSOPInstanceUID"),
    )


def _concept(item: Dataset) -> str:
    codes = items(item, "ConceptNameCodeSequence")
    return text(codes[0], "CodeValue") if codes else ""


def _meaning(item: Dataset, keyword: str) -> str:
    codes = items(item, keyword)
    return text(codes[0], "CodeMeaning") if codes else ""
