"""A request that is not wanted any more is cancelled: C-CANCEL (PS3.7 Section 9.3.2.3)."""

import time
from collections.abc import Callable

from pacs_ai.errors import PeerUnreachable

_LOOK_SECONDS = 1.0
"""Between two looks whether the request is still wanted."""

_END_SECONDS = 10.0
"""For the end of what was cancelled; not every peer takes notice of C-CANCEL."""


class Cancelling:
    """Looks now and then whether a request is still wanted, and cancels it once.

    Parameters
    ----------
    name
        The peer, for errors.
    unwanted
        Tells whether nobody wants it any more.
    send
        Sends the C-CANCEL.
    """

    def __init__(self, name: str, unwanted: Callable[[], bool], send: Callable[[], object]) -> None:
        self._name, self._unwanted, self._send = name, unwanted, send
        self._again = 0.0
        self._end: float | None = None

    def look(self) -> float:
        """Look if it is time to; return when to look again, on the monotonic clock.

        Raises
        ------
        PeerUnreachable
            If the peer has not ended what was cancelled.
        """
        now = time.monotonic()
        if now >= self._again:
            self._again = now + _LOOK_SECONDS
            if self._end is not None and now >= self._end:
                raise PeerUnreachable(f"{self._name} does not end what was cancelled")
            if self._end is None and self._unwanted():
                self._send()
                self._end = now + _END_SECONDS
        return self._again
