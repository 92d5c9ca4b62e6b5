"""Which studies are being received, by the monotonic clock: when each counts as complete."""

import math
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from pacs_ai.config.sections import Study as Timing
from pacs_ai.domain import StudyId
from pacs_ai.engine.wakeups import Wakeups

ASSOCIATION_ENDED = ("association ended",)
"""The kind of `Arrivals.wakeups`."""

Revision = tuple[StudyId, int]


class ArrivalListener(Protocol):
    """Is told what arrives: `Arrivals`, or something that forwards it to one."""

    def stored(self, revision: Revision, association_id: str | None, now: float) -> None:
        """Note an instance."""
        ...

    def closed(self, association_id: str, *, released: bool, now: float) -> None:
        """Note the end of an association."""
        ...


@dataclass(slots=True)
class _Activity:
    first: float
    last: float
    bringing: set[str] = field(default_factory=set)
    released: float | None = None


class Arrivals:
    """Activity of the study revisions that this node is receiving.

    Kept in memory only: after a restart all quiet times start again.

    Attributes
    ----------
    wakeups
        Wakes the thread that closes studies.
    """

    def __init__(self) -> None:
        self.wakeups = Wakeups()
        self._lock = threading.Lock()
        self._revisions: dict[Revision, _Activity] = {}

    def stored(self, revision: Revision, association_id: str | None, now: float) -> None:
        """Note an instance; its association, if there is one, may bring more."""
        with self._lock:
            activity = self._revisions.setdefault(revision, _Activity(now, now))
            activity.last = now
            activity.released = None
            if association_id is not None:
                activity.bringing.add(association_id)

    def closed(self, association_id: str, *, released: bool, now: float) -> None:
        """Note the end of an association; only after a release everything was sent."""
        with self._lock:
            for activity in self._revisions.values():
                if association_id in activity.bringing:
                    activity.bringing.discard(association_id)
                    activity.released = now if released and not activity.bringing else None
        self.wakeups.wake(ASSOCIATION_ENDED)

    def watch(self, revisions: Collection[Revision], now: float) -> None:
        """Start to count for new revisions, and forget those that are closed."""
        with self._lock:
            for revision in revisions:
                self._revisions.setdefault(revision, _Activity(now, now))
            for gone in self._revisions.keys() - set(revisions):
                # an instance may have been stored since the caller looked: keep what is younger
                if not self._revisions[gone].bringing and self._revisions[gone].last < now - 1:
                    del self._revisions[gone]

    def due(self, revision: Revision, timing: Timing) -> tuple[float, str]:
        """Return when a revision counts as complete if nothing more arrives, and why.

        Returns
        -------
        moment : float
            On the monotonic clock; infinite where only a further event can complete it.
        reason : str
            For the audit trail.
        """
        with self._lock:
            activity = self._revisions.get(revision)
            return (math.inf, "") if activity is None else _due(activity, timing)


def _due(activity: _Activity, timing: Timing) -> tuple[float, str]:
    ends = []
    if timing.max_wait_seconds:
        ends.append((activity.first + timing.max_wait_seconds, "longest wait over"))
    if activity.bringing:
        pass
    elif timing.release_seconds is not None and activity.released is not None:
        ends.append((activity.released + timing.release_seconds, "association released"))
    elif timing.quiet_seconds:
        ends.append((activity.last + timing.quiet_seconds, "quiet"))
    return min(ends, default=(math.inf, ""))
