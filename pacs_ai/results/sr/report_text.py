"""A report as text that a person reads; without the patient's name and id."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import text
from pacs_ai.results.content.wording import bound, percent
from pacs_ai.results.sr.read_report import (
    Finding,
    code_meaning,
    read_change,
    read_findings,
    read_origin,
    read_reservations,
    read_sentences,
)

_SHORT_HASH = 12


@dataclass(frozen=True, slots=True)
class ReadableReport:
    """A report in the parts that a person reads.

    Parameters
    ----------
    title
        Name of the document, and what it is not for.
    facts
        Name and value: study, model, status, time.
    cautions
        Why it needs caution, one sentence each.
    levels
        Name and findings of the study as a whole, then of each reported image.
    sentences
        Why the study was not analysable; empty if it was.
    change
        The change since an earlier study, in a sentence; "" if nothing is said of it.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    cautions: tuple[str, ...]
    levels: tuple[tuple[str, tuple[Finding, ...]], ...]
    sentences: tuple[str, ...]
    change: str = ""


def readable(dataset: Dataset) -> ReadableReport:
    """Take a report of ours apart.

    Parameters
    ----------
    dataset
        A structured report made by `pacs_ai.results.sr`, of a study that was analysed or was not
        analysable. No patient's name, id or accession number comes back.
    """
    findings = read_findings(dataset)
    levels = [
        (level[:1].upper() + level[1:], tuple(some))
        for level, some in groupby(findings, key=lambda finding: finding.level)
    ]
    facts = (*_study(dataset), *(_origin(dataset) if findings else ()), *_state(dataset))
    return ReadableReport(
        title=_title(dataset),
        facts=tuple((name, value) for name, value in facts if value),
        cautions=tuple(read_reservations(dataset)),
        levels=tuple(levels),
        sentences=() if findings else tuple(read_sentences(dataset)),
        change=read_change(dataset),
    )


def render_text(dataset: Dataset) -> str:
    """Write a report of ours as text.

    Parameters
    ----------
    dataset
        As for `readable`.

    Returns
    -------
    str
        Lines: title, study, model, then for the study and each reported image the classes with
        probability, decision and operating point. No patient's name, id or accession number.
    """
    report = readable(dataset)
    lines = [report.title, ""]
    lines += [f"{name:<12} {value}" for name, value in report.facts]
    lines += [f"{'Caution':<12} {caution}" for caution in report.cautions]
    lines += ["", report.change] if report.change else []
    for level, findings in report.levels:
        lines += ["", level, *map(_line, findings)]
    lines += ["", *report.sentences] if report.sentences else []
    return "\n".join(lines) + "\n"


def _title(dataset: Dataset) -> str:
    title = code_meaning(dataset, "ConceptNameCodeSequence")
    if text(dataset, "ContentQualification") == "RESEARCH":
        title += " - AI RESEARCH - NOT FOR CLINICAL USE"
    return title


def _study(dataset: Dataset) -> Iterator[tuple[str, str]]:
    yield "Study", f"{text(dataset, 'StudyDate')} {text(dataset, 'StudyDescription')}".strip()
    yield "Study UID", text(dataset, "StudyInstanceUID")


def _origin(dataset: Dataset) -> Iterator[tuple[str, str]]:
    origin = read_origin(dataset)
    several = origin.instances > 1
    weights = origin.parameters["weights-sha256"][:_SHORT_HASH]
    yield "Analysed", f"{origin.instances} instance{'s' if several else ''}"
    yield "Model", f"{origin.model} {origin.version} by {origin.manufacturer}, weights {weights}"
    yield "Aggregation", origin.parameters["aggregation"] if several else ""


def _state(dataset: Dataset) -> Iterator[tuple[str, str]]:
    status = ("CompletionFlag", "PreliminaryFlag", "VerificationFlag")
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
