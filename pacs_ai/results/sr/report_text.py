"""A report as text that a person reads; without the patient's name and id."""

from collections.abc import Iterator
from itertools import groupby

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import text
from pacs_ai.results.content.wording import bound, percent
from pacs_ai.results.sr.read_report import (
    Finding,
    code_meaning,
    read_findings,
    read_origin,
    read_reservations,
)

_SHORT_HASH = 12


def render_text(dataset: Dataset) -> str:
    """Write a report of ours as text.

    Parameters
    ----------
    dataset
        A structured report made by `pacs_ai.results.sr`.

    Returns
    -------
    str
        Lines: title, study, model, then for the study and each reported image the classes with
        probability, decision and operating point. No patient's name, id or accession number.
    """
    lines = [_title(dataset), ""]
    lines += [f"{name:<12} {value}" for name, value in _facts(dataset) if value]
    lines += [f"{'Caution':<12} {caution}" for caution in read_reservations(dataset)]
    for level, findings in groupby(read_findings(dataset), key=lambda finding: finding.level):
        lines += ["", level[:1].upper() + level[1:], *map(_line, findings)]
    return "\n".join(lines) + "\n"


def _title(dataset: Dataset) -> str:
    title = code_meaning(dataset, "ConceptNameCodeSequence")
    if text(dataset, "ContentQualification") == "RESEARCH":
        title += " - AI RESEARCH - NOT FOR CLINICAL USE"
    return title


def _facts(dataset: Dataset) -> Iterator[tuple[str, str]]:
    origin = read_origin(dataset)
    several = origin.instances > 1
    weights = origin.parameters["weights-sha256"][:_SHORT_HASH]
    status = ("CompletionFlag", "PreliminaryFlag", "VerificationFlag")
    yield "Study", f"{text(dataset, 'StudyDate')} {text(dataset, 'StudyDescription')}".strip()
    yield "Study UID", text(dataset, "StudyInstanceUID")
    yield "Analysed", f"{origin.instances} instance{'s' if several else ''}"
    yield "Model", f"{origin.model} {origin.version} by {origin.manufacturer}, weights {weights}"
    yield "Aggregation", origin.parameters["aggregation"] if several else ""
    yield "Status", ", ".join(text(dataset, keyword) for keyword in status).lower()
    yield "Made", _moment(dataset)


def _moment(dataset: Dataset) -> str:
    date, time = text(dataset, "ContentDate"), text(dataset, "ContentTime")
    zone = text(dataset, "TimezoneOffsetFromUTC")
    return f"{date[:4]}-{date[4:6]}-{date[6:]} {time[:2]}:{time[2:4]}:{time[4:6]} {zone}".strip()


def _line(finding: Finding) -> str:
    line = f"  {finding.name:<32}{percent(finding.probability):>9}"
    if finding.decision is None:
        return line
    return f"{line}  {finding.decision} (threshold {bound(finding.threshold)})"
