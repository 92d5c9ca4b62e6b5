"""Who may have a connection and who an association, when there are more than there should be."""

import threading
from collections import Counter, OrderedDict

from pacs_ai.net.acceptor.association import Association
from pacs_ai.net.acceptor.states import Outcome

_KNOWN_ADDRESSES = 1024
"""Addresses remembered as those of peers, the most recent ones."""


class Admission:
    """Keeps two accounts that never touch: associations, and connections that have none.

    A connection without an association costs a peer nothing, so it is never a reason to refuse
    anybody: where there are too many, the oldest of the address that has most goes. Addresses
    that have had an association compete only with each other.

    Parameters
    ----------
    max_associations
        Associations at once.
    max_per_peer
        The same for one address, None for no limit of its own.
    max_pending
        Connections without an association from strangers.
    reserved_pending
        The same from known addresses.
    """

    def __init__(
        self,
        max_associations: int,
        max_per_peer: int | None,
        max_pending: int,
        reserved_pending: int,
    ) -> None:
        self._lock = threading.Lock()
        self._max_associations = max_associations
        self._max_per_peer = max_per_peer or max_associations
        self._limits = {False: max_pending, True: reserved_pending}
        self._pending: dict[bool, OrderedDict[Association, None]] = {
            False: OrderedDict(),
            True: OrderedDict(),
        }
        self._associations: set[Association] = set()
        self._known: OrderedDict[str, None] = OrderedDict()

    @property
    def associations(self) -> int:
        """Number of associations."""
        return len(self._associations)

    def everybody(self) -> list[Association]:
        """All connections there are."""
        with self._lock:
            return [*self._associations, *self._pending[False], *self._pending[True]]

    def arrive(self, association: Association) -> None:
        """Note a new connection."""
        with self._lock:
            victim = self._shelve(association)
        if victim is not None:
            victim.connection.cut(Outcome.EXPIRED)

    def enter(self, association: Association) -> bool:
        """Take a place for an association, False if there is none."""
        address = association.connection.peer_ip
        with self._lock:
            if len(self._associations) >= self._max_associations:
                return False
            same = sum(a.connection.peer_ip == address for a in self._associations)
            if same >= self._max_per_peer:
                return False
            self._unshelve(association)
            self._associations.add(association)
            self._known[address] = None
            self._known.move_to_end(address)
            if len(self._known) > _KNOWN_ADDRESSES:
                self._known.popitem(last=False)
            return True

    def leave(self, association: Association) -> None:
        """Give the place back; the connection is there until it is closed."""
        with self._lock:
            if association not in self._associations:
                return
            self._associations.remove(association)
            victim = self._shelve(association)
        if victim is not None:
            victim.connection.cut(Outcome.EXPIRED)

    def depart(self, association: Association) -> None:
        """Forget a closed connection."""
        with self._lock:
            self._associations.discard(association)
            self._unshelve(association)

    def _shelve(self, association: Association) -> Association | None:
        """Add to the connections without association; return the one that has to go for it."""
        known = association.connection.peer_ip in self._known
        pool = self._pending[known]
        victim = None
        if len(pool) >= self._limits[known]:
            counts = Counter(other.connection.peer_ip for other in pool)
            greediest = counts.most_common(1)[0][0]
            victim = next(a for a in pool if a.connection.peer_ip == greediest)
            del pool[victim]
        pool[association] = None
        return victim

    def _unshelve(self, association: Association) -> None:
        for pool in self._pending.values():
            pool.pop(association, None)
