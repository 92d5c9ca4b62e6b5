"""How many wrong tokens came from an address: nobody may guess without end."""

import threading
import time
from collections import deque

from pacs_ai.web.errors import LoginThrottled

_PERIOD_SECONDS = 60.0
_LIMIT = 10
"""Wrong tokens from one address in a period; one more is not even looked at."""
_ADDRESSES = 4096
"""As many are remembered; of more, those that tried last."""


class Attempts:
    """Counts wrong tokens by address."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}

    def require_few(self, address: str) -> None:
        """Refuse an address from which too many wrong tokens came.

        Raises
        ------
        LoginThrottled
            If so.
        """
        with self._lock:
            failures = self._failures.get(address, deque())
            while failures and failures[0] < time.monotonic() - _PERIOD_SECONDS:
                failures.popleft()
            if len(failures) >= _LIMIT:
                raise LoginThrottled("too many wrong tokens from this address: wait for a minute")

    def note_failure(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            failures = self._failures.pop(address, deque(maxlen=_LIMIT))
            failures.append(time.monotonic())
            self._failures[address] = failures  # the last one of the dictionary
            if len(self._failures) > _ADDRESSES:
                del self._failures[next(iter(self._failures))]
