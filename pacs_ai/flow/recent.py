"""What happens again and again is told once a minute, with how often it was left out."""

import threading
from collections.abc import Hashable

_WINDOW_SECONDS = 60.0
_MOST = 1000


class Recent:
    """What was told in the last minute. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[Hashable, tuple[float, int]] = {}

    def left_out(self, what: Hashable, now: float) -> int | None:
        """Note that something happens; say whether it is to be told.

        Parameters
        ----------
        now
            Monotonic time in seconds.

        Returns
        -------
        int
            How often it was left out since it was told last; None if it is left out now.
        """
        with self._lock:
            begun, count = self._told.get(what, (float("-inf"), 0))
            if now - begun < _WINDOW_SECONDS:
                self._told[what] = (begun, count + 1)
                return None
            self._told.pop(what, None)  # the oldest comes first
            if len(self._told) >= _MOST:
                del self._told[next(iter(self._told))]
            self._told[what] = (now, 0)
            return count

    def not_told(self, what: Hashable, times: int) -> None:
        """Note that something could not be told: the next time says it, too.

        Parameters
        ----------
        times
            How often it has happened since it was told last.
        """
        with self._lock:
            begun, count = self._told.get(what, (float("-inf"), 0))
            self._told[what] = (begun, count + times)
