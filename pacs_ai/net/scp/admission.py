"""Who may have a connection and who an association, when there are more than there should be."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Protocol

from pacs_ai.net.scp.authentication import Attempts
from pacs_ai.net.scp.connection import Connection
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.states import Outcome

_HANDSHAKE_SECONDS = 1.0
"""A connection younger than this is rather somebody in a hurry than somebody who drips."""
_PATIENCE = 4
"""So many times the limit may be exceeded by young ones; then the oldest goes whatever its age."""
_IDLE_SECONDS = 0.5
"""Between two messages of a sender that is at work there is less."""
_STALLED_SECONDS = 5.0
"""A sender in the middle of a message, on whatever link, gets more through in less."""
_KNOWN_ADDRESSES = 1024
"""Addresses remembered as those of peers, the most recent ones."""


class ServedConnection(Protocol):
    """A connection and what is spoken on it, as `Association` is."""

    stopping: bool
    idle_since: float
    """Moment on the monotonic clock since which no message has moved."""

    @property
    def connection(self) -> Connection:
        """The connection."""
        ...

    @property
    def busy(self) -> bool:
        """Tell whether a message is under way."""
        ...


class Rate:
    """Counts what each address did lately: a bucket of a minute's worth that fills evenly.

    Parameters
    ----------
    per_minute
        What each may do in a minute, and at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, now: float) -> bool:
        """Count one more, False if it is one too many; ``now`` in seconds, never going back."""
        left, since = self._left.pop(address, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
        self._left[address] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _KNOWN_ADDRESSES:
            self._left.popitem(last=False)
        return left >= 1


class Admission:
    """Keeps two accounts that never touch: associations, and connections that have none.

    A connection without an association costs a peer nothing, so it is never a reason to refuse
    anybody: where there are too many, the oldest of the address that has most goes, unless a
    burst of good callers made them many. Addresses that have had an association compete only
    with each other. Where all places for associations are taken, one of the address that has most
    makes room for a caller from another.

    Parameters
    ----------
    max_associations
        Associations at once.
    max_per_peer
        The same for one address, None for no limit of its own.
    rate_per_peer
        Associations a minute from one address, None for as many as there are.
    max_pending
        Connections without an association from strangers.
    reserved_pending
        The same from known addresses.
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
        self._rate = None if rate_per_peer is None else Rate(rate_per_peer)
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

    def everybody(self) -> list[ServedConnection]:
        """All connections there are."""
        with self._lock:
            pending = [*self._pending[False], *self._pending[True]]
            return [*self._associations, *pending, *self._leaving]

    def arrive(self, guest: ServedConnection) -> None:
        """Note a new connection."""
        with self._lock:
            victim = self._shelve(guest)
        if victim is not None:
            victim.connection.cut(Outcome.EXPIRED)

    def enter(self, guest: ServedConnection) -> bool:
        """Take a place for an association, False if there is none."""
        address = guest.connection.peer_ip
        victim = None
        with self._lock:
            counts = Counter(one.connection.peer_ip for one in self._associations)
            if counts[address] >= self._max_per_peer:
                return False
            if len(self._associations) >= self._max_associations:
                victim = self._displaced(address, counts)
                if victim is None:
                    return False
            if self._rate is not None and not self._rate.allows(address, time.monotonic()):
                return False
            if victim is not None:
                self._associations.remove(victim)
                self._leaving.add(victim)
            self._unshelve(guest)
            self._associations.add(guest)
            self._known[address] = None
            self._known.move_to_end(address)
            if len(self._known) > _KNOWN_ADDRESSES:
                self._known.popitem(last=False)
        if victim is not None:
            greedy = victim.connection.peer_ip
            limited_log.warning("association displaced", peer=greedy, by=address)
            victim.connection.cut(Outcome.DISPLACED)
        return True

    def _displaced(self, address: str, counts: Counter[str]) -> ServedConnection | None:
        """Find the association that goes for one from another address, None for none.

        It is the longest idle of the address that has most, if that has so many more that the
        two could not take turns. One with a message under way goes only if the message does not
        move. One between two messages goes only for an address that has none.
        """
        greediest, most = counts.most_common(1)[0]
        if most < counts[address] + 2:
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

    def leave(self, guest: ServedConnection) -> None:
        """Give the place back; the connection is there until it is closed."""
        with self._lock:
            if guest not in self._associations:
                return
            self._associations.remove(guest)
            victim = self._shelve(guest)
        if victim is not None:
            victim.connection.cut(Outcome.EXPIRED)

    def depart(self, guest: ServedConnection) -> None:
        """Forget a closed connection."""
        with self._lock:
            self._associations.discard(guest)
            self._leaving.discard(guest)
            self._unshelve(guest)

    def _shelve(self, guest: ServedConnection) -> ServedConnection | None:
        """Add to the connections without association; return the one that has to go for it."""
        known = guest.connection.peer_ip in self._known
        pool = self._pending[known]
        victim = self._victim(pool, self._limits[known])
        if victim is not None:
            del pool[victim]
            self._leaving.add(victim)
        pool[guest] = None
        return victim

    @staticmethod
    def _victim(pool: Iterable[ServedConnection], limit: int) -> ServedConnection | None:
        guests = list(pool)
        if len(guests) < limit:
            return None
        counts = Counter(guest.connection.peer_ip for guest in guests)
        greediest = counts.most_common(1)[0][0]
        oldest = next(guest for guest in guests if guest.connection.peer_ip == greediest)
        age = time.monotonic() - oldest.connection.accepted_at
        hurried = age < _HANDSHAKE_SECONDS and len(guests) < limit * _PATIENCE
        return None if hurried else oldest

    def _unshelve(self, guest: ServedConnection) -> None:
        for pool in self._pending.values():
            pool.pop(guest, None)
