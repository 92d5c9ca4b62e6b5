"""What holds deliveries to a destination back in this process: concurrency, rate, and an outage.

Kept in memory alone: rows say what there is to deliver, and a new process finds out anew.
"""

import threading
import time
from collections import Counter, OrderedDict, defaultdict

from pacs_ai.engine.base import MOST_OVERTAKEN
from pacs_ai.errors import PacsAIError
from pacs_ai.priorities import Priority

FAILURES = 3
"""So many deliveries in a row find a destination out of reach; then it is only probed."""


class DestinationLimits:
    """The limits of all destinations; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._turned_away: dict[str, OrderedDict[str, int]] = defaultdict(OrderedDict)
        self._overtaken: Counter[str] = Counter()
        self._first_of_all: set[str] = set()
        self._failures: Counter[str] = Counter()
        self._down: dict[str, PacsAIError] = {}
        self._free_at: dict[str, float] = {}
        self._probed: set[str] = set()

    def begin(self, name: str, key: str, most: int, priority: int = Priority.ROUTINE) -> bool:
        """Take one of the places of a destination; without a free one the delivery is noted.

        Parameters
        ----------
        key
            Key of the task; `end` gives it back when there is a place.
        most
            How many places the destination has.
        priority
            Of the delivery, if it has to wait.
        """
        with self._lock:
            if self._running[name] >= most:
                self._turned_away[name].setdefault(key, priority)
                return False
            self._turned_away[name].pop(key, None)
            self._running[name] += 1
            return True

    def gives_way(self, name: str, key: str, priority: int) -> bool:
        """Tell whether a more urgent delivery waits for the place; then this one waits, too.

        One that has its place because it is the first of all keeps it.
        """
        with self._lock:
            others = self._turned_away[name]
            if key in self._first_of_all or min(others.values(), default=priority) >= priority:
                return False
            others[key] = priority
            others.move_to_end(key, last=False)
            return True

    def end(self, name: str, key: str) -> str | None:
        """Leave the place of a delivery; return the key of the most urgent one that waits for it.

        Of several it is the first. After `MOST_OVERTAKEN` in a row that overtook, it is the first
        of all.
        """
        with self._lock:
            self._running[name] -= 1
            self._first_of_all.discard(key)
            others = self._turned_away[name]
            if not others:
                return None
            first = next(iter(others))
            fair = self._overtaken[name] >= MOST_OVERTAKEN
            following = first if fair else min(others, key=others.__getitem__)
            self._overtaken[name] = self._overtaken[name] + 1 if following != first else 0
            if fair:
                self._first_of_all.add(following)
            del others[following]
            return following

    def turned_away(self) -> set[str]:
        """Return the keys of all deliveries that wait for a place."""
        with self._lock:
            return {key for keys in self._turned_away.values() for key in keys}

    def wait_turn(self, name: str, per_minute: int | None, stopping: threading.Event) -> None:
        """Wait until the rate of a destination allows to send, or the node stops."""
        if per_minute is None:
            return
        with self._lock:
            seconds = self._free_at.get(name, 0.0) - time.monotonic()
        while seconds > 0 and not stopping.wait(seconds):
            with self._lock:
                seconds = self._free_at.get(name, 0.0) - time.monotonic()

    def count_sent(self, name: str, per_minute: int | None, files: int) -> None:
        """Count files that have left: the next delivery waits for so long as they may take."""
        if per_minute is None:
            return
        with self._lock:
            begin = max(self._free_at.get(name, 0.0), time.monotonic())
            self._free_at[name] = begin + 60.0 * files / per_minute

    def outage(self, name: str) -> PacsAIError | None:
        """Return why a destination is only probed at present; None if it is not."""
        with self._lock:
            return self._down.get(name)

    def out_of_reach(self, name: str, error: PacsAIError) -> None:
        """Count a delivery that has found a destination out of reach."""
        with self._lock:
            self._failures[name] += 1
            if self._failures[name] >= FAILURES:
                self._down[name] = error

    def try_one(self, name: str) -> None:
        """Let a destination whose probe was answered have deliveries; one failure ends that."""
        with self._lock:
            self._failures[name] = FAILURES - 1
            self._down.pop(name, None)

    def reached(self, name: str) -> bool:
        """Note that a destination has answered; True if it did not before."""
        with self._lock:
            self._down.pop(name, None)
            return self._failures.pop(name, 0) > 0

    def begin_probe(self, name: str) -> bool:
        """Begin to probe a destination; False while an earlier probe has not ended."""
        with self._lock:
            if name in self._probed:
                return False
            self._probed.add(name)
            return True

    def end_probe(self, name: str) -> None:
        """End to probe it."""
        with self._lock:
            self._probed.discard(name)
