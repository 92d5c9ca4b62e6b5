"""A log for warnings that strangers can cause: a few of each kind, the rest is counted."""

import threading
import time
from collections.abc import Callable

from pacs_ai.logs import get_logger

_WINDOW_SECONDS = 10.0
_PER_WINDOW = 5

_log = get_logger()


class RateLimitedLog:
    """Logs at most `_PER_WINDOW` warnings of a kind in `_WINDOW_SECONDS`.

    Parameters
    ----------
    clock
        A monotonic clock, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def warning(self, event: str, **fields: object) -> None:
        """Log, or only count; the first of the next window says how many were only counted."""
        now = self._clock()
        with self._lock:
            start, count = self._windows.get(event, (now, 0))
            expired = now - start >= _WINDOW_SECONDS
            self._windows[event] = (now, 1) if expired else (start, count + 1)
        unsaid = max(0, count - _PER_WINDOW) if expired else 0
        if unsaid:
            fields["unsaid"] = unsaid
        if expired or count < _PER_WINDOW:
            _log.warning(event, **fields)


limited_log = RateLimitedLog()
"""One for the process: more connections must not mean more warnings."""
