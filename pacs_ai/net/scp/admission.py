"""Limits on connections and associations, and which one ends where there are too many."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Protocol

from pacs_ai.net.scp.authentication import Attempts
from pacs_ai.net.scp.connection import Connection
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.states import Outcome

_YOUNG_SECONDS = 1.0
"""A connection younger than this is one of a burst, not one that sends its request byte by byte."""
_BURST_FACTOR = 4
"""Young connections may exceed the limit by this factor; beyond it the oldest is closed."""
_IDLE_SECONDS = 0.5
"""A sender that is at work pauses for less between two messages."""
_STALLED_SECONDS = 5.0
"""A sender that is in the middle of a message sends some bytes within this time on any link."""
_KNOWN_ADDRESSES = 1024
"""Addresses remembered as those of peers, the most recent ones."""


class ServedConnection(Protocol):
    """A connection with its protocol state, such as an `Association`."""

    stopping: bool
    idle_since: float
    """Time on the monotonic clock since when no message has made progress."""

    @property
    def connection(self) -> Connection:
        """The connection."""
        ...

    @property
    def busy(self) -> bool:
        """Tell whether a message is under way."""
        ...


class RateLimit:
    """Limits how often each address may do something: a token bucket for each.

    Parameters
    ----------
    per_minute
        How often in a minute; also the most at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, now: float) -> bool:
        """Count one more; False if it is one too many. ``now`` is monotonic, in seconds."""
        left, since = self._left.pop(address, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
        self._left[address] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _KNOWN_ADDRESSES:
            self._left.popitem(last=False)
        return left >= 1


class Admission:
    """Counts associations, and separately the connections that have none yet.

    A connection without an association costs a peer nothing. So it is never a reason to refuse
    another one: where there are too many, the oldest of the address that has the most is closed,
    unless they are a burst of new callers. Addresses that have had an association are counted
    apart from strangers. Where all places for associations are taken, an idle one of the address
    that has the most is closed for a caller from another address.

    Parameters
    ----------
    max_associations
        Associations at once.
    max_per_peer
        The same for one address; None: no limit for one address.
    rate_per_peer
        New associations in a minute from one address; None: no limit.
    max_pending
        Connections without an association from strangers.
    reserved_pending
        The same from addresses that have had an association.
    """

    def __init__(
        self,
        max_associations: int,
        max_per_peer: int | None,
        rate_per_peer: int | None,
        max_pending: int,
        reserved_pending: int,
    ) -> None:
        self.attempts = Attempts()
        self._lock = threading.Lock()
        self._max_associations = max_associations
        self._max_per_peer = max_per_peer or max_associations
        self._rate = None if rate_per_peer is None else RateLimit(rate_per_peer)
        self._limits = {False: max_pending, True: reserved_pending}
        self._pending: dict[bool, OrderedDict[ServedConnection, None]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }
        self._associations: set[ServedConnection] = set()
        self._leaving: set[ServedConnection] = set()
        self._known: OrderedDict[str, None] = OrderedDict()

    @property
    def associations(self) -> int:
        """Number of associations."""
        return len(self._associations)

    def all_connections(self) -> list[ServedConnection]:
        """Return all connections, with and without an association."""
        with self._lock:
            pending = [*self._pending[False], *self._pending[True]]
            return [*self._associations, *pending, *self._leaving]

    def add(self, served: ServedConnection) -> None:
        """Note a new connection."""
        with self._lock:
            closing = self._add_pending(served)
        if closing is not None:
            closing.connection.cut(Outcome.EXPIRED)

    def admit(self, served: ServedConnection) -> bool:
        """Take a place for an association; False if there is none."""
        address = served.connection.peer_ip
        closing = None
        with self._lock:
            counts = Counter(one.connection.peer_ip for one in self._associations)
            if counts[address] >= self._max_per_peer:
                return False
            if len(self._associations) >= self._max_associations:
                closing = self._to_displace(address, counts)
                if closing is None:
                    return False
            if self._rate is not None and not self._rate.allows(address, time.monotonic()):
                return False
            if closing is not None:
                self._associations.remove(closing)
                self._leaving.add(closing)
            self._remove_pending(served)
            self._associations.add(served)
            self._known[address] = None
            self._known.move_to_end(address)
            if len(self._known) > _KNOWN_ADDRESSES:
                self._known.popitem(last=False)
        if closing is not None:
            limited_log.warning(
                "association displaced", peer=closing.connection.peer_ip, by=address
            )
            closing.connection.cut(Outcome.DISPLACED)
        return True

    def _to_displace(self, address: str, counts: Counter[str]) -> ServedConnection | None:
        """Return the association to close for one from another address; None if none may be.

        It is the one that has been idle longest, of the address that has the most; that address
        must have at least two more, or the two would displace each other in turn. One with a
        message under way is closed only if the message has stopped. One between two messages is
        closed only for an address that has no association.
        """
        greediest, count = counts.most_common(1)[0]
        if count < counts[address] + 2:
            return None
        now = time.monotonic()
        between = _IDLE_SECONDS if counts[address] else 0.0
        candidates = [
            (one.busy, one.idle_since, one)
            for one in self._associations
            if one.connection.peer_ip == greediest
        ]
        idle = [
            (busy, since, one)
            for busy, since, one in candidates
            if now - since >= (_STALLED_SECONDS if busy else between)
        ]
        return min(idle, key=lambda entry: entry[:2], default=(None, None, None))[2]

    def end_association(self, served: ServedConnection) -> None:
        """Free the place of an association; its connection counts until it is closed."""
        with self._lock:
            if served not in self._associations:
                return
            self._associations.remove(served)
            closing = self._add_pending(served)
        if closing is not None:
            closing.connection.cut(Outcome.EXPIRED)

    def remove(self, served: ServedConnection) -> None:
        """Forget a closed connection."""
        with self._lock:
            self._associations.discard(served)
            self._leaving.discard(served)
            self._remove_pending(served)

    def _add_pending(self, served: ServedConnection) -> ServedConnection | None:
        """Add to the connections without an association; return the one to close for it."""
        known = served.connection.peer_ip in self._known
        pool = self._pending[known]
        closing = self._to_close(pool, self._limits[known])
        if closing is not None:
            del pool[closing]
            self._leaving.add(closing)
        pool[served] = None
        return closing

    @staticmethod
    def _to_close(pool: Iterable[ServedConnection], limit: int) -> ServedConnection | None:
        connections = list(pool)
        if len(connections) < limit:
            return None
        counts = Counter(served.connection.peer_ip for served in connections)
        greediest = counts.most_common(1)[0][0]
        oldest = next(served for served in connections if served.connection.peer_ip == greediest)
        age = time.monotonic() - oldest.connection.accepted_at
        burst = age < _YOUNG_SECONDS and len(connections) < limit * _BURST_FACTOR
        return None if burst else oldest

    def _remove_pending(self, served: ServedConnection) -> None:
        for pool in self._pending.values():
            pool.pop(served, None)
