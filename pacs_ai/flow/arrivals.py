"""Which studies are being received, by the monotonic clock: when each counts as complete."""

import math
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pacs_ai.config.completeness import Study as Timing
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.store.completeness import Progress, Revision

ASSOCIATION_ENDED = ("association ended",)
"""The kind of `Arrivals.wakeups`."""


class Signal(StrEnum):
    """Why a revision counts as complete; the value is the reason in the audit trail."""

    QUIET = "quiet"
    RELEASED = "association released"
    REQUIRED = "all that is required is there"
    CAP = "longest wait over"
    FETCHED = "the archive has sent all of it"


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

    Quiet times start again with the process, as nothing could arrive without it. What else counts
    is given to `watch` again: `pacs_ai.store.completeness` keeps it.

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

    def unknown(self, revisions: Collection[Revision]) -> set[Revision]:
        """Return those of which nothing has been noted since this process began."""
        with self._lock:
            return set(revisions) - self._revisions.keys()

    def watch(
        self, revisions: Collection[Revision], now: float, kept: Mapping[Revision, Progress]
    ) -> dict[Revision, bool]:
        """Start to count for new revisions, and forget those that are closed.

        Parameters
        ----------
        kept
            What was written down of the new ones by an earlier process.

        Returns
        -------
        dict
            The forgotten ones, and whether all associations that brought them were released.
        """
        forgotten = {}
        with self._lock:
            for revision in set(revisions) - self._revisions.keys():
                before = kept.get(revision, Progress())
                released = now if before.released else None
                first = now - before.waited_seconds
                self._revisions[revision] = _Activity(first, now, released=released)
            for gone in self._revisions.keys() - set(revisions):
                # an instance may have been stored since the caller looked: keep what is younger
                if not self._revisions[gone].bringing and self._revisions[gone].last < now - 1:
                    forgotten[gone] = self._revisions.pop(gone).released is not None
        return forgotten

    def silent_since(self, revision: Revision, now: float) -> float:
        """Return when the last instance of a revision came; `now` if that is not known."""
        with self._lock:
            activity = self._revisions.get(revision)
            return now if activity is None else activity.last

    def progress(self, revision: Revision, now: float) -> Progress:
        """Return what is to be kept of a revision that is watched."""
        with self._lock:
            activity = self._revisions.get(revision)
            if activity is None:
                return Progress()
            return Progress(now - activity.first, activity.released is not None)

    def due(
        self, revision: Revision, timing: Timing, *, there: bool | None = None
    ) -> tuple[float, Signal | None]:
        """Return when a revision counts as complete if nothing more arrives, and why.

        Parameters
        ----------
        there
            Whether all of ``complete_when`` is there; None if nothing is required.

        Returns
        -------
        moment : float
            On the monotonic clock; infinite where only a further event can complete it.
        signal : Signal or None
            What completes it then.
        """
        with self._lock:
            activity = self._revisions.get(revision)
            return (math.inf, None) if activity is None else _due(activity, timing, there=there)

    def cap(self, revision: Revision, timing: Timing) -> float:
        """Return when a revision is closed in any case, on the monotonic clock."""
        with self._lock:
            activity = self._revisions.get(revision)
            if activity is None or not timing.max_wait_seconds:
                return math.inf
            return activity.first + timing.max_wait_seconds


def _due(activity: _Activity, timing: Timing, *, there: bool | None) -> tuple[float, Signal | None]:
    ends: list[tuple[float, Signal | None]] = []
    if timing.max_wait_seconds:
        ends.append((activity.first + timing.max_wait_seconds, Signal.CAP))
    if activity.bringing:
        pass
    elif there:
        ends.append((activity.last, Signal.REQUIRED))
    elif there is False and timing.when_incomplete == "wait":
        pass
    elif timing.release_seconds is not None and activity.released is not None:
        ends.append((activity.released + timing.release_seconds, Signal.RELEASED))
    elif timing.quiet_seconds:
        ends.append((activity.last + timing.quiet_seconds, Signal.QUIET))
    return min(ends, default=(math.inf, None))
