"""The view of studies that are fetched from archives, and its buttons."""

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import pulls
from pacs_ai.flow.operate.pulls import PullRecord
from pacs_ai.flow.retrieve.archives import archives
from pacs_ai.store.pulls import PullState
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page.forms import field
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Action, Cell, Choice, Table, row
from pacs_ai.web.routes import node_of

_ROWS = 100
_LOOKS = {PullState.DONE: "good", PullState.FAILED: "bad"}


def show_pulls(request: Request) -> Response:
    """Show what archives were asked for, the newest first."""
    node, given = node_of(request), request.query_params
    state = given.get("state", "").upper()
    wanted = PullState(state) if state in tuple(PullState) else None
    peer = given.get("peer", "")
    choices = [
        Choice("state", "State", wanted or "", [str(one) for one in PullState]),
        Choice("peer", "Archive", peer),
    ]
    sums = [
        row(one.peer, *(one.studies.get(state, 0) for state in PullState), actions=_of_sum(one))
        for one in pulls.sum_pulls(node)
    ]
    columns = ("Archive", *(str(one) for one in PullState))
    records = pulls.list_pulls(node, wanted, peer or None, _ROWS)
    tables = [
        Table("Archives that were asked", columns, sums, "Nothing was asked for."),
        _table(records),
    ]
    return page(
        request,
        "pulls.html",
        title="Fetched studies",
        tables=tables,
        choices=choices,
        archives=list(archives(node.config)),
        acting=True,
        searching=False,
        pages=[],
    )


def _of_sum(one: pulls.PullSummary) -> list[Action]:
    open_ = one.studies.get(PullState.QUEUED, 0) + one.studies.get(PullState.RUNNING, 0)
    return [Action("Cancel all", "/pulls/cancel", {"peer": one.peer})] if open_ else []


def _table(records: list[PullRecord]) -> Table:
    rows = [
        row(
            one.study_instance_uid,
            one.peer,
            Cell(one.state, look=_LOOKS.get(PullState(one.state), "open")),
            one.attempt,
            one.instances,
            one.finished_at or one.due_at,
            one.error_text,
            actions=_of(one),
        )
        for one in records
    ]
    columns = ("Study", "Archive", "State", "Tries", "Images", "Time", "Reason")
    return Table("Studies, the newest first", columns, rows, "There are none.")


def _of(one: PullRecord) -> list[Action]:
    fields = {"peer": one.peer, "study": one.study_instance_uid}
    if one.state in (PullState.QUEUED, PullState.RUNNING):
        return [Action("Cancel", "/pulls/cancel", fields)]
    return [Action("Fetch again", "/pulls", {**fields, "again": "yes"})]


def pull(node: FlowContext, form: dict[str, str]) -> str:
    """Ask for studies: their UIDs, or what a search finds by a range of dates and a modality."""
    peer, again = field(form, "peer"), bool(form.get("again"))
    uids = form.get("study", "").split()
    where = {
        key: form[key].strip()
        for key in ("StudyDate", "ModalitiesInStudy")
        if form.get(key, "").strip()
    }
    if bool(uids) == bool(where):
        raise BadRequest("say either which studies, or what to search for")
    if uids:
        return f"{pulls.pull_studies(node, peer, uids, again=again)} studies will be fetched"
    found = pulls.search_studies(node, peer, where)
    asked = pulls.pull_found(node, peer, found, again=again)
    return f"{asked.studies} studies were found, {asked.new} of them will be fetched"


def cancel(node: FlowContext, form: dict[str, str]) -> str:
    """Cancel what waits, and what is being fetched."""
    count = pulls.cancel_pulls(node, field(form, "peer"), form.get("study", "").split())
    return f"{count} studies were cancelled"
