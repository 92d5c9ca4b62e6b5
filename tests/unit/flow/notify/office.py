"""A node that tells a webhook, and what has arrived there."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notify.sweep import Notifier
from pacs_ai.store.notifications import Message
from tests.web_peer import WebPeer


@dataclass
class Office:
    """A node that tells a webhook, whose ``status`` a test sets."""

    context: FlowContext
    hook: WebPeer
    notifier: Notifier
    status: int = 200

    def told(self) -> list[dict[str, Any]]:
        """Sweep; return the messages that have arrived so far."""
        self.notifier.sweep()
        return [json.loads(one.body) for one in self.hook.asked]

    def messages(self) -> list[Message]:
        with self.context.database.read() as session:
            return list(session.scalars(sa.select(Message).order_by(Message.created_at)))

    def later(self, seconds: float) -> None:
        clock = self.context.clock
        assert isinstance(clock, ManualClock)
        clock.sleep(seconds)


OnWhat = Callable[..., Office]
"""Makes the node, of what it tells and further keys of its section."""
