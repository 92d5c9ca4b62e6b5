"""Counts of what the listener has done since it started."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol


class TrafficListener(Protocol):
    """Is told what the listener does; no call may take long."""

    def opened(self) -> None:
        """Count an association that began."""
        ...

    def stored(self, status: int, size: int, seconds: float) -> None:
        """Count a C-STORE: status, bytes of the data set, seconds that storing took."""
        ...

    def ended(self, outcome: str) -> None:
        """Count the end of an association by its outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts at one moment; all but ``open`` associations only grow."""

    open: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0


class TrafficMeter:
    """Counts for this process, and for receivers that forward what they see."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._ended: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self._bytes = 0
        self._seconds = 0.0

    def opened(self) -> None:
        """Count an association that began."""
        with self._lock:
            self._open += 1

    def stored(self, status: int, size: int, seconds: float) -> None:
        """Count a C-STORE."""
        with self._lock:
            self._answers[status] += 1
            self._bytes += size
            self._seconds += seconds

    def ended(self, outcome: str) -> None:
        """Count an association that ended."""
        with self._lock:
            self._open -= 1
            self._ended[outcome] += 1

    def read(self) -> Traffic:
        """Return the counts of this moment."""
        with self._lock:
            return Traffic(
                self._open, dict(self._ended), dict(self._answers), self._bytes, self._seconds
            )
