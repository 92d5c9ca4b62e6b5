"""The views that are lists: studies, jobs, deliveries, failed work."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries, jobs, studies
from pacs_ai.flow.operate.find import selection
from pacs_ai.store.records import DeliveryRecord, EventRecord, JobRecord, StudyRecord
from pacs_ai.store.selection import Filter
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Action, Cell, Choice, Table, row, state
from pacs_ai.web.routes import node_of

_ROWS = 100


def list_studies(request: Request) -> Response:
    """Show studies, the last active first."""
    node = node_of(request)
    choices = _choices(request, StudyState, sender="From", model="Model")
    table = study_table(
        "Studies, the last active first", studies.list_studies(node, _filter(node, choices))
    )
    return show_tables(request, "Studies", [table], choices, searching=True)


def list_jobs(request: Request) -> Response:
    """Show jobs, the newest first."""
    node = node_of(request)
    choices = _choices(request, JobState, model="Model", sender="From")
    table = job_table("Jobs, the newest first", jobs.list_jobs(node, _filter(node, choices)))
    return show_tables(request, "Jobs", [table], choices, acting=True)


def list_deliveries(request: Request) -> Response:
    """Show destinations, then deliveries, the newest first."""
    node = node_of(request)
    choices = _choices(request, DeliveryState, peer="Destination")
    wanted = _filter(node, choices)
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
            one.outcome or one.reason,
        )
        for one in records
    ]
    return Table(title, columns, rows, "There are none.")


def job_table(title: str, records: Iterable[JobRecord], actions: Sequence[Action] = ()) -> Table:
    """Make a table of jobs."""
    columns = ("Job", "Study", "State", "Made", "Seconds", "Outcome")
    rows = [
        row(
            one.id[:8],
            Cell(str(one.study), f"/studies/{one.study}"),
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


def event_table(title: str, events: Iterable[EventRecord]) -> Table:
    """Make a table of lines of the audit trail."""
    columns = ("Time", "What", "From", "To", "By", "Note")
    rows = [
        row(
            one.at,
            f"{one.entity} {one.entity_id[:8]}",
            one.from_state,
            one.to_state,
            one.actor,
            one.note,
        )
        for one in events
    ]
    return Table(title, columns, rows, "Nothing has happened yet.")


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
    )


def _choices(request: Request, states: type[StrEnum], **others: str) -> list[Choice]:
    """Make the fields of the filter; what the query has is chosen."""
    given = request.query_params
    names = [str(one) for one in states]
    chosen = given.get("state", "").upper()
    first = Choice("state", "State", chosen if chosen in names else "", names)
    return [first, *(Choice(name, label, given.get(name, "")) for name, label in others.items())]


def _filter(node: FlowContext, choices: Iterable[Choice]) -> Filter:
    given = {one.name: one.value.replace("\0", "").strip() or None for one in choices}
    return selection(
        node,
        state=given.get("state"),
        sender=given.get("sender"),
        peer=given.get("peer"),
        model=given.get("model"),
        limit=_ROWS,
    )


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
