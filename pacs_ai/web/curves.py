"""Throughput and latency of the last hours, minute by minute, for the curves of the overview.

All figures come from rows. Those of minutes that are over are kept in memory: a page that is open
asks every few seconds.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import quantiles

from pacs_ai.flow.context import FlowContext
from pacs_ai.store.throughput import COUNTED, Position, counts, position, report_times

HOURS = 3
_MINUTE = timedelta(minutes=1)
_SETTLED = timedelta(minutes=2)
"""Rows of a transaction that began so long ago are there: its minute does not change any more."""

Column = Sequence[float | None]


class Curves:
    """The figures of one node's database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled: datetime | None = None
        self._begin = Position()
        self._counts: dict[datetime, dict[str, int]] = defaultdict(dict)
        self._seconds: dict[datetime, list[float]] = defaultdict(list)

    def figures(self, node: FlowContext) -> dict[str, Column]:
        """Return one column for each figure, with a value for each minute, the oldest first.

        Returns
        -------
        dict
            ``time`` is the begin of each minute in seconds since 1970, ``p50`` and ``p95`` are the
            seconds from the last image to the report of half, and of 95 %, of the studies whose
            report came in that minute; None if none did. All others are numbers.
        """
        now = node.now().replace(second=0, microsecond=0)
        first = now - timedelta(hours=HOURS) + _MINUTE
        with self._lock:
            self._read(node, first, now)
            minutes = [first + number * _MINUTE for number in range(HOURS * 60)]
            found: dict[str, Column] = {"time": [minute.timestamp() for minute in minutes]}
            for name in COUNTED:
                found[name] = [self._counts.get(one, {}).get(name, 0) for one in minutes]
            parts = [_parts(self._seconds.get(minute, ())) for minute in minutes]
        found["p50"], found["p95"] = ([one[place] for one in parts] for place in (0, 1))
        return found

    def _read(self, node: FlowContext, first: datetime, now: datetime) -> None:
        """Read the minutes that are not settled, and forget those that are too old."""
        since = max(first, self._settled or first)
        for kept in (self._counts, self._seconds):
            for minute in [one for one in kept if not first <= one < since]:
                del kept[minute]
        with node.database.read() as session:
            self._begin = position(session, since, self._begin)
            for name, minute, count in counts(session, self._begin):
                if minute >= since:
                    self._counts[minute][name] = count
            for at, seconds in report_times(session, self._begin):
                if at >= since:
                    self._seconds[at.replace(second=0, microsecond=0)].append(seconds)
        self._settled = max(since, now - _SETTLED)


def _parts(seconds: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the 50th and the 95th percentile."""
    if len(seconds) < 2:  # noqa: PLR2004 - of one value both are the value
        one = seconds[0] if seconds else None
        return one, one
    hundred = quantiles(seconds, n=100, method="inclusive")
    return hundred[49], hundred[94]
