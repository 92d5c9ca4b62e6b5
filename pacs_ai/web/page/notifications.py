"""The view of notifications, and its buttons."""

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import notifications
from pacs_ai.flow.operate.notifications import NotificationRecord
from pacs_ai.store.message_listing import RETRYABLE
from pacs_ai.store.notifications import MessageState
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Action, Cell, Choice, Table, row
from pacs_ai.web.routes import node_of

_ROWS = 100
_LOOKS: dict[str, str] = {MessageState.SENT: "good", MessageState.FAILED: "bad"}
_RETRY = "/notifications/retry"


def show_notifications(request: Request) -> Response:
    """Show the messages, the newest first."""
    state = request.query_params.get("state", "").upper()
    wanted = MessageState(state) if state in tuple(MessageState) else None
    records = notifications.list_notifications(node_of(request), wanted, _ROWS)
    return page(
        request,
        "listing.html",
        title="Notifications",
        tables=[_table(records)],
        choices=[Choice("state", "State", wanted or "", [str(one) for one in MessageState])],
        acting=True,
        searching=False,
        pages=[],
    )


def _table(records: list[NotificationRecord]) -> Table:
    columns = ("Message", "Notification", "Peer", "Tells", "State", "Tries", "Sent", "Next try")
    rows = [
        row(
            one.id[:8],
            one.notification,
            one.destination,
            [f"{count} {name}" for name, count in one.conditions.items()],
            Cell(one.state, look=_LOOKS.get(one.state, "open")),
            one.attempt,
            one.sent_at,
            one.due_at,
            one.error_text,
            actions=[Action("Send again", _RETRY, {"id": one.id})] if _failed(one) else [],
        )
        for one in records
    ]
    again = [Action("Send all failed ones again", _RETRY)] if any(map(_failed, records)) else []
    return Table("Messages, the newest first", (*columns, "Reason"), rows, "There are none.", again)


def _failed(one: NotificationRecord) -> bool:
    return one.state in RETRYABLE


def retry(node: FlowContext, form: dict[str, str]) -> str:
    """Send a message again, or all that have failed."""
    if "id" in form:
        done = notifications.retry_notifications(node, [form["id"]])
    else:
        done = notifications.retry_matching_notifications(node)
    names = ("notification is", "notifications are")
    return f"{done.retried} {names[done.retried != 1]} tried again"
