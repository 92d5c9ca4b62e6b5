"""A time after which what a peer is waited for is cut off, whatever it still sends."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self


class TimeLimit:
    """Cuts connections when a wait takes too long; a context manager.

    The time limits of sockets do not do that: each byte that comes begins them anew.

    Parameters
    ----------
    cut
        Ends the connections, from a thread of its own.

    Attributes
    ----------
    over
        Whether they were cut.
    """

    def __init__(self, cut: Callable[[], object]) -> None:
        self.over = False
        self._cut = cut
        self._changed = threading.Condition()
        self._until = math.inf
        self._ended = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="time limit", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    @contextmanager
    def wait(self, seconds: float) -> Iterator[None]:
        """Limit what is waited for in the block."""
        self._set(time.monotonic() + seconds)
        try:
            yield
        finally:
            self._set(math.inf)

    def _set(self, until: float) -> None:
        with self._changed:
            self._until = until
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._ended:
                left = self._until - time.monotonic()
                if left <= 0:
                    self.over = True
                    break
                self._changed.wait(None if math.isinf(left) else left)
        if self.over:
            self._cut()
