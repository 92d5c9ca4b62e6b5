"""Read the content of objects for the rules: codes, content items, frames and segments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import items, text

IMAGING_MEASUREMENTS = ("126010", "DCM")
DERIVED_MEASUREMENTS = ("126011", "DCM")
EVALUATIONS = ("C0034375", "UMLS")
GROUP = ("125007", "DCM")
TRACKING_IDENTIFIER = ("112039", "DCM")
TRACKING_UID = ("112040", "DCM")

_CODE_VALUES = ("CodeValue", "LongCodeValue", "URNCodeValue")

Code = tuple[str, str]
"""Value and scheme designator."""


def codes(holder: Dataset, keyword: str) -> list[Code]:
    """Codes of a code sequence."""
    return [
        (
            next(filter(None, (text(item, value) for value in _CODE_VALUES)), ""),
            text(item, "CodingSchemeDesignator"),
        )
        for item in items(holder, keyword)
    ]


def code(holder: Dataset, keyword: str) -> Code | None:
    """Return the first code of a code sequence; None if there is none."""
    return next(iter(codes(holder, keyword)), None)


def concept(item: Dataset) -> Code | None:
    """Concept name of a content item."""
    return code(item, "ConceptNameCodeSequence")


def children(item: Dataset, *concepts: Code, value_type: str = "") -> list[Dataset]:
    """Content items directly below another, of these concepts (all if none are given)."""
    return [
        child
        for child in items(item, "ContentSequence")
        if (not concepts or concept(child) in concepts)
        and (not value_type or text(child, "ValueType") == value_type)
    ]


def tree(root: Dataset) -> Iterator[Dataset]:
    """All content items below the root, each before what is below it."""
    waiting = items(root, "ContentSequence")[::-1]
    while waiting:
        item = waiting.pop()
        yield item
        waiting += items(item, "ContentSequence")[::-1]


def groups(report: Dataset) -> list[Dataset]:
    """Measurement groups of a report (TID 1500, rows 7 to 9 and 11)."""
    return [
        group
        for container in children(report, IMAGING_MEASUREMENTS, DERIVED_MEASUREMENTS)
        for group in children(container, value_type="CONTAINER")
    ]


def group_name(group: Dataset, number: int) -> str:
    """Name a measurement group for a person."""
    said = [text(item, "TextValue") for item in children(group, TRACKING_IDENTIFIER)]
    return f'{number} ("{said[0]}")' if said and said[0] else str(number)


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to an instance; ``sop_class_uid`` may be ""."""

    sop_class_uid: str
    sop_instance_uid: str


def references(holders: Iterable[Dataset], keyword: str) -> Iterator[Reference]:
    """Yield the references of the sequences of this name."""
    for holder in holders:
        for item in items(holder, keyword):
            yield Reference(
                text(item, "ReferencedSOPClassUID"), text(item, "ReferencedSOPInstanceUID")
            )


def tree_references(document: Dataset) -> set[Reference]:
    """Return the references of the content items of a document."""
    return set(references(tree(document), "ReferencedSOPSequence"))


def evidence(document: Dataset) -> set[str]:
    """UIDs of the instances that the evidence of a document lists (PS3.3 Section C.17.2.3)."""
    keywords = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
    return {
        one.sop_instance_uid
        for keyword in keywords
        for study in items(document, keyword)
        for one in references(items(study, "ReferencedSeriesSequence"), "ReferencedSOPSequence")
    }


def functional_groups(made: Dataset, macro: str) -> list[list[Dataset]]:
    """Items of a functional group of each frame: the frame's own, else the shared ones."""
    shared = [
        item
        for group in items(made, "SharedFunctionalGroupsSequence")
        for item in items(group, macro)
    ]
    return [
        items(frame, macro) or shared for frame in items(made, "PerFrameFunctionalGroupsSequence")
    ]


def frame_sources(made: Dataset) -> list[set[str]]:
    """UIDs of the images that each frame was derived from."""
    return [
        {one.sop_instance_uid for one in references(derived, "SourceImageSequence")}
        for derived in functional_groups(made, "DerivationImageSequence")
    ]


def listed(numbers: Iterable[object], most: int = 3) -> str:
    """Write the first of several things, and how many more there are."""
    all_of_them = [str(number) for number in numbers]
    more = len(all_of_them) - most
    said = ", ".join(all_of_them[:most])
    return f"{said} and {more} more" if more > 0 else said
