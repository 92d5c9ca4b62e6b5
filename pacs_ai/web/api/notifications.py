"""Operations of the REST API on notifications."""

from collections.abc import Sequence

from pydantic import Field

from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import notifications
from pacs_ai.flow.operate.notifications import NotificationRecord
from pacs_ai.flow.operate.retrying import Retried
from pacs_ai.store.notifications import MessageState
from pacs_ai.web.api.operation import Operation, Parameters
from pacs_ai.web.api.parameters import Newest, Text

_IDS = 10_000


class Notifications(Newest):
    """Which messages."""

    state: MessageState | None = None


class NotificationsAgain(Parameters):
    """Which messages to send again: these, or all in a state."""

    ids: list[Text] | None = Field(None, max_length=_IDS)
    state: MessageState | None = None


def _list(node: FlowContext, asked: Notifications) -> list[NotificationRecord]:
    """List messages to webhooks and by mail, the newest first."""
    return notifications.list_notifications(node, asked.state, asked.limit)


def _retry(node: FlowContext, asked: NotificationsAgain) -> Retried:
    """Send again: the named messages, or all FAILED ones (or WAITING ones at once)."""
    if asked.ids is not None:
        return notifications.retry_notifications(node, asked.ids)
    return notifications.retry_matching_notifications(node, asked.state)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/notifications", Role.VIEWER, _list, Notifications, list[NotificationRecord]),
    Operation("POST", "/notifications/retry", Role.OPERATOR, _retry, NotificationsAgain, Retried),
)
