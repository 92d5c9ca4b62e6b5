"""Read what a structured report of somebody else says about results (TID 1500).

docs/conformance.md has what is understood. The IHE profile AI Result Assessment (AIRA) has the
same three answers, for the whole result or for a finding of it.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from pacs_ai.dicom.files import opened
from pacs_ai.dicom.reading import items, text
from pacs_ai.errors import NotDicom
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.results.common.codes import (
    ABSENT,
    ASSESSMENT,
    ASSESSMENTS,
    PRESENT,
    SCHEME,
    UNDETERMINED,
)

LONGEST = 16 << 20
"""Bytes of the largest report that is read."""

Coded = tuple[str, str]
"""Code value and coding scheme designator."""

_GROUP: Coded = ("125007", "DCM")
_FINDING: Coded = ("121071", "DCM")
_PRESENCE: Coded = ("121052", "DCM")
_OBSERVER: Coded = ("121008", "DCM")
_KINDS = {(str(code.value), SCHEME): kind for kind, code in ASSESSMENTS.items()}
_LABELS: dict[Coded, Label] = {
    **{
        (str(code.value), "DCM"): label
        for code, label in ((PRESENT, Label.PRESENT), (ABSENT, Label.ABSENT))
    },
    (str(UNDETERMINED.value), "DCM"): Label.UNCERTAIN,
    ("52101004", "SCT"): Label.PRESENT,
    ("272519000", "SCT"): Label.ABSENT,
    ("82334004", "SCT"): Label.UNCERTAIN,
}
"""Presence in the words of our reports, and in those of SNOMED CT."""


@dataclass(frozen=True, slots=True)
class AssessedFinding:
    """What is said of one finding: an assessment, its presence, or both.

    ``refers_to`` are the SOP Instance UIDs that its measurement group refers to as documents.
    """

    finding: Coded
    kind: FeedbackKind | None
    label: Label | None
    refers_to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a structured report says about results.

    Parameters
    ----------
    sop_instance_uid, study_instance_uid
        UIDs of the report and of its study.
    refers_to
        SOP Instance UIDs that it refers to: in its content (COMPOSITE) outside of measurement
        groups, as predecessors, as evidence. The first of them that has results of ours counts.
    kind
        What is said of the result as a whole; None if nothing is.
    findings
        What is said of findings.
    observer
        Name of the person who signs or observes, "" if there is none. It is never kept.
    """

    sop_instance_uid: str
    study_instance_uid: str
    refers_to: tuple[tuple[str, ...], ...]
    kind: FeedbackKind | None
    findings: tuple[AssessedFinding, ...]
    observer: str

    @property
    def uids(self) -> set[str]:
        """All SOP Instance UIDs that the report refers to."""
        groups = (*self.refers_to, *(finding.refers_to for finding in self.findings))
        return {uid for uids in groups for uid in uids if uid}


def read_assessment(path: Path) -> Assessment:
    """Read a report.

    Raises
    ------
    NotDicom
        If it cannot be read, or is too large.
    StorageError
        If the file is missing or cannot be read.
    """
    with opened(path, "the report") as stream:
        if path.stat().st_size > LONGEST:
            raise NotDicom(f"the report has more than {LONGEST >> 20} MiB")
        return _assessment(pydicom.dcmread(stream))


def _assessment(report: Dataset) -> Assessment:
    evidence = ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
    kinds = [_kind(item) for item in _walk(report, into_groups=False)]
    return Assessment(
        sop_instance_uid=text(report, "SOPInstanceUID"),
        study_instance_uid=text(report, "StudyInstanceUID"),
        refers_to=(
            tuple(_composites(_walk(report, into_groups=False))),
            tuple(_listed(report, "PredecessorDocumentsSequence")),
            tuple(uid for keyword in evidence for uid in _listed(report, keyword)),
        ),
        kind=next(filter(None, kinds), None),
        findings=tuple(_finding(item) for item in _walk(report) if _code(item, _NAME) == _GROUP),
        observer=_observer(report),
    )


def _finding(group: Dataset) -> AssessedFinding:
    content = items(group, "ContentSequence")
    named = {_code(item, _NAME): _code(item, _VALUE) for item in content}
    return AssessedFinding(
        finding=named.get(_FINDING, ("", "")),
        kind=next(filter(None, map(_kind, content)), None),
        label=_LABELS.get(named.get(_PRESENCE, ("", ""))),
        refers_to=tuple(_composites(_walk(group))),
    )


def _kind(item: Dataset) -> FeedbackKind | None:
    if _code(item, _NAME) != (str(ASSESSMENT.value), SCHEME):
        return None
    return _KINDS.get(_code(item, _VALUE))


def _observer(report: Dataset) -> str:
    for item in _walk(report):
        if _code(item, _NAME) == _OBSERVER and text(item, "PersonName"):
            return text(item, "PersonName")
    for keyword, name in (
        ("VerifyingObserverSequence", "VerifyingObserverName"),
        ("AuthorObserverSequence", "PersonName"),
    ):
        for item in items(report, keyword):
            if text(item, name):
                return text(item, name)
    return ""


def _walk(item: Dataset, *, into_groups: bool = True) -> Iterator[Dataset]:
    """Give the content items below an item, from the top to the bottom."""
    waiting = deque([item])
    while waiting:
        here = waiting.popleft()
        for child in items(here, "ContentSequence"):
            yield child
            if into_groups or _code(child, _NAME) != _GROUP:
                waiting.append(child)


def _composites(content: Iterable[Dataset]) -> Iterator[str]:
    for child in content:
        if text(child, "ValueType") == "COMPOSITE":
            yield from _references(child)


def _listed(report: Dataset, keyword: str) -> Iterator[str]:
    for study in items(report, keyword):
        for series in items(study, "ReferencedSeriesSequence"):
            yield from _references(series)


def _references(item: Dataset) -> Iterator[str]:
    for reference in items(item, "ReferencedSOPSequence"):
        yield text(reference, "ReferencedSOPInstanceUID")


_NAME, _VALUE = "ConceptNameCodeSequence", "ConceptCodeSequence"


def _code(item: Dataset, keyword: str) -> Coded:
    codes = items(item, keyword)
    if not codes:
        return ("", "")
    return text(codes[0], "CodeValue").strip(), text(codes[0], "CodingSchemeDesignator").strip()
