"""The reports of a study as people read them, from the stored objects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from pacs_ai.domain import Decision, ResultKind
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.results.sr.read_report import open_report
from pacs_ai.results.sr.report_text import ReadableReport, readable
from pacs_ai.store import viewing
from pacs_ai.web.page.render import shown_time


def study_reports(node: FlowContext, study_id: int) -> Iterator[tuple[str, ReadableReport]]:
    """Return the newest report of each model, by its name; one that cannot be read is left out."""
    with node.database.read() as session:
        stored = viewing.shown_results(session, study_id)
    seen = set()
    for result, job in stored:
        if result.kind == ResultKind.REPORT and job.model_name not in seen:
            seen.add(job.model_name)
            try:
                report = readable(open_report(node.spool.path_of(result.path)))
            except (NotDicom, StorageError):
                continue
            facts = tuple(
                (name, _zoned(text) if name == "Made" else text) for name, text in report.facts
            )
            yield job.model_name, replace(report, facts=facts)


def decisions(reports: Iterable[tuple[str, ReadableReport]]) -> Mapping[tuple[str, str], Decision]:
    """Return what each model decides of a study, by model and class (in lower case)."""
    return {
        (model, finding.name.casefold()): finding.decision
        for model, report in reports
        for _, findings in report.levels[:1]
        for finding in findings
        if finding.decision is not None
    }


def _zoned(moment: str) -> str:
    """Write a time in the time zone of the node, which holds where a report states none."""
    try:
        return shown_time(datetime.fromisoformat(moment.replace(" +", "+").replace(" -", "-")))
    except ValueError:
        return moment
