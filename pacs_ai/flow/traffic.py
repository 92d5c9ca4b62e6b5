"""Counts of what the listener has done. They go on where they stopped when the node starts again.

Each process that receives counts in a file of its own, and the next process of the same name goes
on with it. An instance is counted before its sender is answered.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pacs_ai.files import translated
from pacs_ai.store.counter_file import CounterFile, read_counters
from pacs_ai.store.spool import Spool

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Upper bounds of the classes of times that storing an instance takes."""

LOST = "failed"
"""Outcome of associations whose process died; a value of `pacs_ai.net.scp.states.Outcome`."""

_OPENED, _BYTES, _SECONDS = "associations", "bytes", "seconds"
_ENDED, _ANSWER, _CLASS = "ended ", "answer ", "seconds "


class TrafficListener(Protocol):
    """Is told what the listener does; no call may take long."""

    def opened(self) -> None:
        """Count an association that began."""
        ...

    def stored(self, status: int, size: int, seconds: float) -> None:
        """Count a C-STORE: status, bytes of the data set, seconds that storing took."""
        ...

    def refused(self, status: int) -> None:
        """Count a C-STORE that was refused before its data set had arrived."""
        ...

    def ended(self, outcome: str) -> None:
        """Count the end of an association by its outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts at one moment; all but ``open`` associations only grow.

    ``answers`` are C-STOREs by the status of their answer. ``classes`` are C-STOREs by the time
    that storing took, one for each of `SECONDS` and one for all longer times.
    """

    open: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    answers: dict[int, int] = field(default_factory=dict)
    bytes: int = 0
    seconds: float = 0.0
    classes: tuple[int, ...] = (0,) * (len(SECONDS) + 1)

    @property
    def associations(self) -> int:
        """How many associations have begun."""
        return self.open + sum(self.ended.values())


class TrafficMeter:
    """Counts what one process receives.

    Parameters
    ----------
    spool
        The node's part of the spool.
    name
        Name of the process within the node.
    """

    def __init__(self, spool: Spool, name: str) -> None:
        self._folder = _folder(spool)
        self._counts = CounterFile(self._folder / name)

    def begin(self) -> None:
        """Go on from the counts of the file; associations that were open then are lost.

        Raises
        ------
        StorageError
            If the file cannot be opened.
        """
        with translated(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        self._counts.open()
        for _ in range(self.read().open):
            self.ended(LOST)

    def opened(self) -> None:
        """Count an association that began."""
        self._counts.add({_OPENED: 1})

    def stored(self, status: int, size: int, seconds: float) -> None:
        """Count a C-STORE."""
        self._counts.add(
            {
                _BYTES: size,
                _SECONDS: seconds,
                f"{_CLASS}{bisect_left(SECONDS, seconds)}": 1,
                f"{_ANSWER}{status:04X}": 1,
            }
        )

    def refused(self, status: int) -> None:
        """Count an answer alone."""
        self._counts.add({f"{_ANSWER}{status:04X}": 1})

    def ended(self, outcome: str) -> None:
        """Count an association that ended."""
        self._counts.add({f"{_ENDED}{outcome}": 1})

    def read(self) -> Traffic:
        """Return the counts of this process."""
        return _traffic(self._counts.read())

    def close(self) -> None:
        """Close the file."""
        self._counts.close()


def read_traffic(spool: Spool) -> Traffic:
    """Return what all processes of a node have received; any process may ask.

    Raises
    ------
    StorageError
        If a file cannot be read.
    """
    counts: Counter[str] = Counter()
    for path in _folder(spool).glob("*"):
        counts.update(read_counters(path))
    return _traffic(counts)


def _folder(spool: Spool) -> Path:
    return spool.home / "traffic"


def _traffic(counts: Mapping[str, float]) -> Traffic:
    ended = _named(counts, _ENDED)
    classes = _named(counts, _CLASS)
    return Traffic(
        open=int(counts.get(_OPENED, 0)) - sum(ended.values()),
        ended=ended,
        answers={int(status, 16): count for status, count in _named(counts, _ANSWER).items()},
        bytes=int(counts.get(_BYTES, 0)),
        seconds=counts.get(_SECONDS, 0.0),
        classes=tuple(classes.get(str(number), 0) for number in range(len(SECONDS) + 1)),
    )


def _named(counts: Mapping[str, float], kind: str) -> dict[str, int]:
    """Return the counts whose name begins with a word, by the rest of their names."""
    return {
        name.removeprefix(kind): int(value)
        for name, value in counts.items()
        if name.startswith(kind)
    }
