"""Totals over all changes of state: how many, and how long each stage took.

They are computed from the audit trail, whose rows are written with the change itself. A position in
the trail and the totals up to it are kept together in a file. Whatever is killed, and when: the
totals are always those of the trail (docs/adr/0022-metrics-of-rows-and-counts-in-files.md).
"""

import contextlib
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pacs_ai.errors import StorageError
from pacs_ai.files import PRIVATE, atomic_write
from pacs_ai.store.event_feed import Change, changes, labels, last_change
from pacs_ai.store.session import Session

STAGES: Mapping[tuple[str, str], str] = {
    ("study", "RECEIVING"): "receive",
    ("study", "COMPLETE"): "route",
    ("job", "QUEUED"): "queue",
    ("job", "RUNNING"): "analyse",
    ("delivery", "PENDING"): "send_queue",
    ("delivery", "SENDING"): "send",
    ("delivery", "COMMITTING"): "commit",
}
"""What a row waits for, or what is done with it, while it is in a state."""

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Upper bounds of the classes of times."""

OTHER = "other"
"""Label of models and destinations that the configuration does not name."""

_AT_ONCE = 2000
_GAP_SECONDS = 120.0
"""A transaction that has not committed so long after a later one is rolled back."""
_MOST_MISSING = 1000
_FORMAT = 1


@dataclass(slots=True)
class Times:
    """How long something took: the sum in seconds, and how many in each class of `SECONDS`."""

    seconds: float = 0.0
    classes: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))

    def add(self, seconds: float) -> None:
        """Count one; a clock that was set back makes no negative time."""
        seconds = max(0.0, seconds)
        self.seconds += seconds
        self.classes[bisect_left(SECONDS, seconds)] += 1


@dataclass(slots=True)
class Totals:
    """The totals up to a position in the audit trail.

    Parameters
    ----------
    position
        Id of the last change that is counted.
    missing
        Ids before it that are still to come, and when each was found missing (seconds since 1970).
    counts
        Number of changes by entity, model or destination, state before and state after.
    times
        Times by stage, and model or destination.
    since
        When each row came into the stage that it is in, by entity and key.
    """

    position: int = 0
    missing: dict[int, float] = field(default_factory=dict)
    counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    times: dict[tuple[str, ...], Times] = field(default_factory=dict)
    since: dict[tuple[str, str], float] = field(default_factory=dict)

    def follow(self, session: Session, known: frozenset[str], now: datetime) -> bool:
        """Count the next changes; True if there may be more.

        Parameters
        ----------
        known
            Models and destinations that get a label of their own.
        """
        found = changes(session, self.position, self.missing, _AT_ONCE)
        if not found and last_change(session) < self.position:  # an older one, from a backup
            self._begin_again()
            found = changes(session, self.position, self.missing, _AT_ONCE)
        names = labels(session, found)
        for one in found:
            name = "" if one.entity == "study" else names.get((one.entity, one.key), OTHER)
            self._count(one, name if not name or name in known else OTHER)
        self._note_missing(found, now.timestamp())
        return len(found) == _AT_ONCE

    def _count(self, change: Change, name: str) -> None:
        self.counts[change.entity, name, change.before, change.after] += 1
        row, at = (change.entity, change.key), change.at.timestamp()
        began = self.since.pop(row, None)
        stage = STAGES.get((change.entity, change.before))
        if began is not None and stage is not None:
            self.times.setdefault((stage, name), Times()).add(at - began)
        if (change.entity, change.after) in STAGES:
            self.since[row] = at

    def _note_missing(self, found: Sequence[Change], now: float) -> None:
        for one in found:
            self.missing.pop(one.id, None)
            first = max(self.position + 1, one.id - _MOST_MISSING)
            self.missing.update(dict.fromkeys(range(first, one.id), now))
            self.position = max(self.position, one.id)
        self.missing = {
            gap: noted for gap, noted in self.missing.items() if now - noted < _GAP_SECONDS
        }

    def _begin_again(self) -> None:
        self.position = 0
        self.missing.clear()
        self.counts.clear()
        self.times.clear()
        self.since.clear()

    def keep(self, path: Path) -> None:
        """Write them to a file.

        Raises
        ------
        StorageError
            If that fails; the file is as it was before.
        """
        content = {
            "format": _FORMAT,
            "position": self.position,
            "missing": list(self.missing.items()),
            "counts": [[*key, count] for key, count in self.counts.items()],
            "times": [[*key, one.seconds, one.classes] for key, one in self.times.items()],
            "since": [[*row, at] for row, at in self.since.items()],
        }
        atomic_write(path, json.dumps(content), durable=False, mode=PRIVATE)

    @classmethod
    def kept(cls, path: Path) -> Self:
        """Return those of a file; none, from the begin of the trail, if it cannot be used."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, StorageError):
            content: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if content["format"] == _FORMAT:
                return cls(
                    content["position"],
                    dict(content["missing"]),
                    Counter({tuple(key): count for *key, count in content["counts"]}),
                    {
                        (stage, name): Times(seconds, classes)
                        for stage, name, seconds, classes in content["times"]
                    },
                    {(entity, key): at for entity, key, at in content["since"]},
                )
        return cls()
