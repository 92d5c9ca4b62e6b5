"""Rejected associations as events: a stranger may cause them, so their number is limited."""

import threading
from contextlib import suppress

from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.transition import record

_WINDOW_SECONDS = 60.0
_PER_WINDOW = 10
_BUSY_SECONDS = 1.0
_TITLE = 16


class Rejections:
    """Enters at most `_PER_WINDOW` rejections in `_WINDOW_SECONDS`, and how many more there were.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._begun = float("-inf")
        self._count = 0

    def note(self, calling_aet: str, address: str, reason: str) -> None:
        """Enter a rejection, or only count it."""
        now = self._context.clock.monotonic()
        with self._lock:
            unsaid = 0
            if now - self._begun >= _WINDOW_SECONDS:
                unsaid = max(0, self._count - _PER_WINDOW)
                self._begun, self._count = now, 0
            self._count += 1
            if self._count > _PER_WINDOW:
                return
        title = "".join(sign if sign.isprintable() else "?" for sign in calling_aet)[:_TITLE]
        more = f"; {unsaid} more before" if unsaid else ""
        with suppress(StorageError), self._context.write(busy_seconds=_BUSY_SECONDS) as transaction:
            record(
                transaction, "association", title, "", "REJECTED",
                note=f"{address}: {reason}{more}",
            )  # fmt: skip
