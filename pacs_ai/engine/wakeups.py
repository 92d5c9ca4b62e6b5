"""Wake-ups: a thread that waits for work learns at once that there may be some.

A wake-up is a hint. It may come for nothing, and it may be lost: therefore no wait is long.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable

Wake = Callable[[Collection[str]], None]

POLL_SECONDS = 0.5
"""The longest wait: then the caller looks for work without a wake-up."""


class Wakeups:
    """Counts the wake-ups of one process, by the kind of work that they are for.

    A thread reads `count` before it looks for work, and gives it to `wait`. So a wake-up that comes
    after the look ends the wait at once, and none is missed.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()
        self._forwards: tuple[Wake, ...] = ()

    def count(self, kinds: Iterable[str]) -> int:
        """Return how many wake-ups for any of these kinds there were so far."""
        with self._changed:
            return self._sum(kinds)

    def wait(self, kinds: Collection[str], count: int, seconds: float = math.inf) -> None:
        """Wait for a wake-up for any of these kinds, at most `POLL_SECONDS`.

        Parameters
        ----------
        count
            What `count` said before the caller looked for work.
        seconds
            The same if it is shorter.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sum(kinds) != count, min(seconds, POLL_SECONDS))

    def wake(self, kinds: Collection[str]) -> None:
        """Wake the threads of this process, and tell the processes that are connected with it."""
        self.wake_here(kinds)
        for forward in self._forwards:
            forward(kinds)

    def wake_here(self, kinds: Collection[str]) -> None:
        """Wake the threads of this process only."""
        with self._changed:
            self._counts.update(kinds)
            self._changed.notify_all()

    def connect(self, forward: Wake) -> None:
        """Pass each wake-up on from now on; `forward` must not block."""
        with self._changed:
            self._forwards = (*self._forwards, forward)

    def disconnect(self, forward: Wake) -> None:
        """Pass none on any more."""
        with self._changed:
            self._forwards = tuple(one for one in self._forwards if one != forward)

    def _sum(self, kinds: Iterable[str]) -> int:
        return sum(self._counts[kind] for kind in kinds)
