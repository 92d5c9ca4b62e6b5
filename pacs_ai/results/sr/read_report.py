"""Read the findings of a report of ours back from the object."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from pacs_ai.dicom.files import opened
from pacs_ai.dicom.reading import items, numbers, text
from pacs_ai.domain import Decision
from pacs_ai.results.common.codes import DECISIONS
from pacs_ai.results.content.reservations import CAUTION

_DECISIONS = {str(code.meaning): decision for decision, code in DECISIONS.items()}
_GROUP = "125007"
_TRACKING = "112039"
_FINDING = "121071"
_PRESENCE = "121052"
_PARAMETERS = "111002"
_LIBRARY = "111028"
_CHANGE = "111021"
_SECTIONS = ("121070", "121076")  # findings, conclusions
_NAME = "111001"
_VERSION = "111003"
_MANUFACTURER = "122405"


@dataclass(frozen=True, slots=True)
class Finding:
    """One class at one level of a report.

    ``level`` is ``study`` or names an image; ``probability`` and ``threshold`` are in [0, 1];
    ``decision`` is None for a class that is not decided upon. ``peak`` is where the heat map is
    strongest, (column, row) in pixels of the instance ``sop_instance_uid``, None where the report
    does not say. ``undetermined`` is the band in which the model does not decide, if it has one.
    """

    name: str
    level: str
    probability: float
    threshold: float
    decision: Decision | None
    peak: tuple[float, float] | None
    sop_instance_uid: str
    undetermined: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What made a report, and of how many instances. ``parameters`` are those of the algorithm."""

    model: str
    version: str
    manufacturer: str
    parameters: dict[str, str]
    instances: int


def open_report(path: Path) -> Dataset:
    """Read a report that this node stored.

    Raises
    ------
    NotDicom
        If the bytes cannot be read as DICOM.
    StorageError
        If the file is missing or cannot be read.
    """
    with opened(path, "a report") as stream:
        return pydicom.dcmread(stream)


def read_findings(report: Dataset) -> list[Finding]:
    """Read the findings of a report, in its order: what counts for the study comes first.

    Parameters
    ----------
    report
        A structured report made by `pacs_ai.results.sr`.
    """
    return [_finding(group) for group in _groups(report) if not _reservation_text(group)]


def read_reservations(report: Dataset) -> list[str]:
    """Read the reservations of a report, one sentence each."""
    return [caution for group in _groups(report) if (caution := _reservation_text(group))]


def read_sentences(report: Dataset) -> list[str]:
    """Read the text of a report on a study that was not analysable, in its order."""
    return [
        text(item, "TextValue")
        for section in _walk(report)
        for item in items(section, "ContentSequence")
        if _concept(section) in _SECTIONS and text(item, "ValueType") == "TEXT"
    ]


def read_change(report: Dataset) -> str:
    """Read the change since an earlier study, or why none is stated; "" if nothing is said."""
    said = (text(item, "TextValue") for item in _walk(report) if _concept(item) == _CHANGE)
    return next(said, "")


def read_origin(report: Dataset) -> Origin:
    """Read what a report says of the model and the instances it analysed."""
    group = next(group for group in _groups(report) if not _reservation_text(group))
    content = _content(group)
    name, version, maker = (
        text(content.get(concept, Dataset()), "TextValue")
        for concept in (_NAME, _VERSION, _MANUFACTURER)
    )
    analysed = sum(
        item.get("ValueType") == "IMAGE"
        for library in _walk(report)
        if _concept(library) == _LIBRARY
        for item in _walk(library)
    )
    return Origin(name, version, maker, _parameters(group), analysed)


def _reservation_text(group: Dataset) -> str:
    tracking = text(_content(group).get(_TRACKING, Dataset()), "TextValue")
    return tracking.removeprefix(f"{CAUTION}: ") if tracking.startswith(CAUTION) else ""


def _finding(group: Dataset) -> Finding:
    content = _content(group)
    tracking = text(content.get(_TRACKING, Dataset()), "TextValue")
    level, _, _ = tracking.rpartition(" / ")[2].partition(":")  # reports of before said more
    presence = code_meaning(content.get(_PRESENCE, Dataset()), "ConceptCodeSequence")
    number = next(
        item for item in items(group, "ContentSequence") if items(item, "MeasuredValueSequence")
    )
    value = numbers(items(number, "MeasuredValueSequence")[0], "NumericValue")[0]
    point = next(_places(group))
    places = [numbers(place, "GraphicData") for place in _places(number)]
    image = items(items(point, "ContentSequence")[0], "ReferencedSOPSequence")[0]
    parameters = _parameters(group)
    low, _, high = parameters.get("undetermined", "").partition("..")
    return Finding(
        name=code_meaning(content.get(_FINDING, Dataset()), "ConceptCodeSequence"),
        level=level,
        probability=value / 100,
        threshold=float(parameters["threshold"]),
        decision=_DECISIONS.get(presence),
        peak=(places[0][0], places[0][1]) if places else None,
        sop_instance_uid=text(image, "ReferencedSOPInstanceUID"),
        undetermined=(float(low), float(high)) if high else None,
    )


def _places(item: Dataset) -> Iterator[Dataset]:
    return (one for one in items(item, "ContentSequence") if one.ValueType == "SCOORD")


def code_meaning(item: Dataset, keyword: str) -> str:
    """Meaning of the first code of a sequence, "" if there is none."""
    codes = items(item, keyword)
    return text(codes[0], "CodeMeaning") if codes else ""


def _groups(report: Dataset) -> Iterator[Dataset]:
    return (item for item in _walk(report) if _concept(item) == _GROUP)


def _parameters(group: Dataset) -> dict[str, str]:
    pairs = (
        text(item, "TextValue").partition("=")
        for item in items(group, "ContentSequence")
        if _concept(item) == _PARAMETERS
    )
    return {key: value for key, _, value in pairs}


def _content(group: Dataset) -> dict[str, Dataset]:
    return {_concept(item): item for item in items(group, "ContentSequence")}


def _walk(item: Dataset) -> Iterator[Dataset]:
    for child in items(item, "ContentSequence"):
        yield child
        yield from _walk(child)


def _concept(item: Dataset) -> str:
    codes = items(item, "ConceptNameCodeSequence")
    return text(codes[0], "CodeValue") if codes else ""
