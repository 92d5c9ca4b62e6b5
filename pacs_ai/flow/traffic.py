"""What the listener has done since it started, counted for whoever wants to show it."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol


class TrafficListener(Protocol):
    """Is told of what goes through the listener; no call may take long."""

    def opened(self) -> None:
        """Count an association that began."""
        ...

    def stored(self, status: int, size: int, seconds: float) -> None:
        """Count a C-STORE: its answer, the bytes of its data set, and how long storing took."""
        ...

    def ended(self, outcome: str) -> None:
        """Count an association that ended, by how it did."""
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts at one moment; ``open`` associations go up and down, all else only up."""

    open: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0


class TrafficMeter:
    """Counts, in the process that asks or for others that pass on what they see."""

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
