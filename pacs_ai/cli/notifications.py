"""``pacs-ai notifications``: who was told, and who could not be."""

from typing import Annotated

import typer

from pacs_ai.cli.filters import state_option
from pacs_ai.cli.node import NodeToOpen, with_node
from pacs_ai.cli.options import AsJson, Limit, group
from pacs_ai.cli.retrying import check_choice, print_retried
from pacs_ai.cli.tables import print_json, show_lines
from pacs_ai.flow.operate import notifications as operate
from pacs_ai.flow.operate.notifications import NotificationRecord
from pacs_ai.store.message_listing import RETRYABLE
from pacs_ai.store.notifications import MessageState
from pacs_ai.store.records import to_dict

app = group("Notifications: the messages of [[notifications]] to webhooks and by mail.")


@app.command("list")
@with_node
def list_notifications(
    *,
    state: Annotated[MessageState | None, state_option("In this state.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """List the messages of the last 30 days, the newest first.

    Before them stands what is COLLECTED for the next message. The time says when a message was
    sent, or when it is tried next. No patient is named.
    """
    with node_to_open as node:
        records = operate.list_notifications(node, state, limit)
    if as_json:
        print_json([to_dict(one) for one in records])
        return
    show_lines([_line(one) for one in records], nothing="no notifications")


def _line(record: NotificationRecord) -> dict[str, object]:
    """Return the line of a message, with the time that its state is about."""
    return {
        "id": record.id[:8],
        "notification": record.notification,
        "to": record.destination,
        "state": record.state,
        "tells": [f"{count} {name}" for name, count in record.conditions.items()],
        "tries": record.attempt,
        "time": record.sent_at or record.due_at or record.created_at or "",
        "reason": record.error_text,
    }


@app.command()
@with_node
def retry(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids, or how they begin.", show_default=False),
    ] = None,
    *,
    state: Annotated[
        MessageState | None, state_option("All in this state: FAILED or WAITING.")
    ] = None,
    as_json: AsJson = False,
    node_to_open: NodeToOpen,
) -> None:
    """Send FAILED messages again, and WAITING ones at once: by id, or all in a state."""
    check_choice(ids or [], {}, state, RETRYABLE)
    with node_to_open as node:
        if ids:
            done = operate.retry_notifications(node, ids)
        else:
            done = operate.retry_matching_notifications(node, state)
    print_retried(done, ("notification", "notifications"), "to be sent", as_json=as_json)
