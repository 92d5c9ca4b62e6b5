"""Which studies are being received, by the monotonic clock: when each counts as complete."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from pacs_ai.config.sections import Study as Timing
from pacs_ai.domain import StudyId

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
    """

    def __init__(self) -> None:
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

    def watch(self, revisions: Collection[Revision], now: float) -> None:
        """Start to count for new revisions, and forget those that are closed."""
        with self._lock:
            for revision in revisions:
                self._revisions.setdefault(revision, _Activity(now, now))
            for gone in self._revisions.keys() - set(revisions):
                # an instance may have been stored since the caller looked: keep what is younger
                if not self._revisions[gone].bringing and self._revisions[gone].last < now - 1:
                    del self._revisions[gone]

    def complete(self, revision: Revision, timing: Timing, now: float) -> str:
        """Return why a revision counts as complete; "" while it does not."""
        with self._lock:
            activity = self._revisions.get(revision)
            if activity is None:
                return ""
            return _verdict(activity, timing, now)


def _verdict(activity: _Activity, timing: Timing, now: float) -> str:
    if timing.max_wait_seconds and now - activity.first >= timing.max_wait_seconds:
        return "longest wait over"
    if activity.bringing:
        return ""
    if timing.release_seconds is not None and activity.released is not None:
        if now - activity.released >= timing.release_seconds:
            return "association released"
        return ""
    if timing.quiet_seconds and now - activity.last >= timing.quiet_seconds:
        return "quiet"
    return ""
