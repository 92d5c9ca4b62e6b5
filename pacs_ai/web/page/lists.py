"""The views that are lists: studies, jobs, deliveries, failed work."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.flow.audit.note import DIGESTS
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries, jobs, studies
from pacs_ai.flow.operate.find import selection
from pacs_ai.flow.operate.trail import TrailLine
from pacs_ai.store.records import DeliveryRecord, JobRecord, StudyDetails, StudyRecord
from pacs_ai.store.selection import Filter
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.store.timeline import RevisionRecord
from pacs_ai.web.page.render import page, shown_time
from pacs_ai.web.page.table import Action, Cell, Choice, Table, row, state
from pacs_ai.web.routes import node_of

_ROWS = 100


def list_studies(request: Request) -> Response:
    """Show studies, the newest first."""
    node = node_of(request)
    choices = _choices(request, StudyState, sender="From", model="Model")
    table = study_table(
        "Studies, the newest first",
        studies.list_studies(node, _filter(node, choices, _page(request))),
    )
    return show_tables(request, "Studies", [table], choices, searching=True)


def list_jobs(request: Request) -> Response:
    """Show jobs, the newest first."""
    node = node_of(request)
    choices = _choices(request, JobState, model="Model", sender="From")
    wanted = _filter(node, choices, _page(request))
    table = job_table("Jobs, the newest first", jobs.list_jobs(node, wanted))
    return show_tables(request, "Jobs", [table], choices, acting=True)


def list_deliveries(request: Request) -> Response:
    """Show destinations, then deliveries, the newest first."""
    node = node_of(request)
    choices = _choices(request, DeliveryState, peer="Destination")
    wanted = _filter(node, choices, _page(request))
    sums = destination_table(deliveries.list_destinations(node, Filter()))
    table = delivery_table("Deliveries, the newest first", deliveries.list_deliveries(node, wanted))
    return show_tables(request, "Deliveries", [sums, table], choices, acting=True)


def failed_work(request: Request) -> Response:
    """Show what needs a person."""
    node = node_of(request)
    conflicts = studies.list_studies(node, Filter(state=StudyState.CONFLICT, limit=_ROWS))
    failed = [
        *jobs.list_jobs(node, Filter(state=JobState.FAILED, limit=_ROWS)),
        *jobs.list_jobs(node, Filter(state=JobState.REJECTED, limit=_ROWS)),
    ]
    sent = deliveries.list_deliveries(node, Filter(state=DeliveryState.FAILED, limit=_ROWS))
    again = Action("Try all failed jobs again", "/jobs/retry", {"state": JobState.FAILED})
    send = Action("Send all failed again", "/deliveries/retry", {"state": DeliveryState.FAILED})
    tables = [
        study_table("Studies in CONFLICT", conflicts),
        job_table("Jobs without a result", failed, [again] if failed else []),
        delivery_table("Deliveries that have failed", sent, [send] if sent else []),
    ]
    return show_tables(request, "Failed work", tables, acting=True)


def study_table(title: str, records: Iterable[StudyRecord]) -> Table:
    """Make a table of studies."""
    columns = ("Study", "State", "Type", "Images", "From", "Last image", "Delivered", "Outcome")
    rows = [
        row(
            Cell(str(one.id), f"/studies/{one.id}"),
            state(one.state),
            one.modality,
            one.instances,
            one.calling_aet,
            one.last_received_at,
            one.delivered,
            outcome(one),
        )
        for one in records
    ]
    return Table(title, columns, rows, "There are none.")


def outcome(study: StudyRecord | StudyDetails) -> list[str]:
    """Return what came of a study; of a CONFLICT first why it is one."""
    if study.state == StudyState.CONFLICT or not study.outcome:
        return [one for one in (study.reason, *study.outcome) if one]
    return study.outcome


def time_table(revisions: Iterable[RevisionRecord]) -> Table:
    """Make a table that says where the time of a study went, the newest revision first."""
    rows = [
        row(one.revision, spent.step.replace("_", " "), spent.peer, spent.seconds)
        for one in sorted(revisions, key=lambda one: -one.revision)
        for spent in one.spent
    ]
    columns = ("Revision", "Step", "Destination", "Seconds")
    return Table("Where the time went", columns, rows, "Nothing has happened yet.")


def job_table(title: str, records: Iterable[JobRecord], actions: Sequence[Action] = ()) -> Table:
    """Make a table of jobs."""
    columns = ("Job", "Study", "Priority", "State", "Made", "Seconds", "Outcome")
    rows = [
        row(
            one.id[:8],
            Cell(str(one.study), f"/studies/{one.study}"),
            one.priority,
            state(one.state),
            one.created_at,
            one.seconds,
            one.outcome,
            actions=_of_job(one),
        )
        for one in records
    ]
    return Table(title, columns, rows, "There are none.", actions)


def delivery_table(
    title: str, records: Iterable[DeliveryRecord], actions: Sequence[Action] = ()
) -> Table:
    """Make a table of deliveries."""
    columns = ("Delivery", "Study", "Destination", "Result", "State", "Made", "Next try", "Reason")
    rows = [
        row(
            one.id,
            Cell(str(one.study or ""), f"/studies/{one.study}" if one.study else ""),
            one.destination,
            one.result,
            state(one.state),
            one.created_at,
            one.due_at,
            one.reason,
            actions=_of_delivery(one),
        )
        for one in records
    ]
    return Table(title, columns, rows, "There are none.", actions)


def destination_table(sums: Iterable[DestinationSummary]) -> Table:
    """Make a table of destinations, with a button that sends all again that has failed or waits."""
    rows = [
        row(
            one.destination,
            [f"{count} {name}" for name, count in one.deliveries.items()],
            one.waiting_since,
            actions=[
                Action(
                    f"Send again: {name}",
                    "/deliveries/retry",
                    {"peer": one.destination, "state": name},
                )
                for name in deliveries.RETRYABLE
                if one.deliveries.get(name)
            ],
        )
        for one in sums
    ]
    columns = ("Destination", "Deliveries", "Oldest open one")
    return Table("Destinations", columns, rows, "Nothing was sent yet.")


def event_table(title: str, lines: Iterable[TrailLine]) -> Table:
    """Make a table of lines of the audit trail."""
    columns = ("Time", "What", "From", "To", "By", "Note")
    rows = [
        row(
            line.event.at,
            f"{line.event.entity} {line.event.entity_id[:8]}",
            line.event.from_state,
            line.event.to_state,
            line.event.actor,
            _note(line),
        )
        for line in lines
    ]
    return Table(title, columns, rows, "Nothing has happened yet.")


def _note(line: TrailLine) -> Cell:
    said, _, _ = line.event.note.partition(DIGESTS)
    if line.since is None:
        return Cell(said)
    text = Markup("{} times since {}").format(line.times, shown_time(line.since))
    return Cell(text + (f"; the last time: {said}" if said else ""))


def show_tables(
    request: Request,
    title: str,
    tables: Sequence[Table],
    choices: Sequence[Choice] = (),
    *,
    acting: bool = False,
    searching: bool = False,
) -> Response:
    """Make a view of tables.

    Parameters
    ----------
    choices
        Fields of the filter above them.
    acting
        Whether something can be done there, by who may.
    searching
        Whether the search stands above them.
    """
    return page(
        request,
        "listing.html",
        title=title,
        tables=tables,
        choices=choices,
        acting=acting,
        searching=searching,
        pages=_pages(request, choices, len(tables[-1].rows)) if choices else [],
    )


def _page(request: Request) -> int:
    """Return which page of a list is asked for, from 1."""
    given = request.query_params.get("page", "")
    return int(given) if re.fullmatch(r"[1-9]\d{0,4}", given, re.ASCII) else 1


def _pages(request: Request, choices: Iterable[Choice], shown: int) -> list[tuple[str, str]]:
    """Make the links to the pages before and after the one that is shown: their titles, where."""
    here = _page(request)
    others = [("Newer", here - 1)] if here > 1 else []
    others += [("Older", here + 1)] if shown == _ROWS else []
    chosen = {one.name: one.value for one in choices if one.value}
    return [(title, "?" + urlencode({**chosen, "page": page})) for title, page in others]


def _choices(request: Request, states: type[StrEnum], **others: str) -> list[Choice]:
    """Make the fields of the filter; what the query has is chosen."""
    given = request.query_params
    names = [str(one) for one in states]
    chosen = given.get("state", "").upper()
    first = Choice("state", "State", chosen if chosen in names else "", names)
    return [first, *(Choice(name, label, given.get(name, "")) for name, label in others.items())]


def _filter(node: FlowContext, choices: Iterable[Choice], page: int) -> Filter:
    given = {one.name: one.value.replace("\0", "").strip() or None for one in choices}
    found = selection(
        node,
        state=given.get("state"),
        sender=given.get("sender"),
        peer=given.get("peer"),
        model=given.get("model"),
        limit=_ROWS,
    )
    return dataclasses.replace(found, offset=(page - 1) * _ROWS)


def _of_job(one: JobRecord) -> list[Action]:
    actions = []
    if one.state in jobs.RETRYABLE:
        actions.append(Action("Try again", "/jobs/retry", {"id": one.id}))
    if one.state in (JobState.QUEUED, JobState.WAITING):
        actions.append(Action("Cancel", "/jobs/cancel", {"id": one.id}))
    return actions


def _of_delivery(one: DeliveryRecord) -> list[Action]:
    actions = []
    if one.state in deliveries.RETRYABLE:
        actions.append(Action("Send again", "/deliveries/retry", {"id": str(one.id)}))
    if one.state in (DeliveryState.PENDING, *deliveries.RETRYABLE):
        actions.append(Action("Cancel", "/deliveries/cancel", {"id": str(one.id)}))
    return actions
