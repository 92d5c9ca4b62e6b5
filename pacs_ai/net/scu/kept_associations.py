"""Associations that stay open for a moment after a delivery, so that the next one need not ask."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pacs_ai.clock import pause
from pacs_ai.errors import AssociationRejected, PeerError

# Every command that opens a node makes a `KeptAssociations`. Few of them use it, and only the first
# use loads pydicom and pynetdicom, which take half a second.
if TYPE_CHECKING:
    from pacs_ai.net.scu.associate import PeerAddress
    from pacs_ai.net.scu.association import RequestedAssociation
    from pacs_ai.net.scu.c_store import Work
    from pacs_ai.net.scu.negotiation import Proposal

_RELEASE_SECONDS = 1.0
"""For the answer to a release."""

_JUST_NOW_SECONDS = 1.0
"""A peer that we have released within this time may reject us because of it."""

_LONGEST_SECONDS = 10.0
"""An association that was opened before this is not kept: others may wait for a peer that accepts
one association at a time."""

_PAUSES = (0.05, 0.3)
"""Before a peer that rejected us is asked again, in seconds: it may count an association for a
moment after its release."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class _Kept:
    association: "RequestedAssociation"
    calling_aet: str
    proposed: "frozenset[Proposal]"
    opened: float = field(default_factory=time.monotonic)

    def fits(self, calling_aet: str, proposals: "Sequence[Proposal]") -> bool:
        """Tell whether it is alive, and what would be proposed was proposed on it."""
        same = calling_aet == self.calling_aet and self.proposed.issuperset(proposals)
        return same and self.association.is_silent


class KeptAssociations:
    """At most one idle association for each peer, for all threads of a process.

    Whoever uses an association has it alone: it is nobody's while it is idle, and a second user at
    the same time opens another one.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._idle: dict[PeerAddress, tuple[_Kept, threading.Timer]] = {}
        self._releasing: Counter[PeerAddress] = Counter()
        self._released: dict[PeerAddress, float] = {}
        self._closed = False

    def use(
        self,
        peer: "PeerAddress",
        calling_aet: str,
        proposals: "Sequence[Proposal]",
        timeout: float,
        work: "Work",
        *,
        idle_seconds: float,
    ) -> None:
        """Do work on the idle association, or on a new one, and keep it for the next use.

        If the idle one ends before the first answer on it, the peer has not taken part: the work is
        done once more, on a new one.

        Parameters
        ----------
        peer, calling_aet, proposals, timeout
            See `pacs_ai.net.scu.associate.request_association`, also for the errors.
        work
            May be done a second time.
        idle_seconds
            How long the association may stay idle afterwards; 0 releases it at once.
        """
        kept = self._take(peer, calling_aet, proposals)
        if kept is not None:
            answers = kept.association.answers
            try:
                with kept.association.aborted_on_error():
                    work(kept.association)
            except PeerError:
                if kept.association.answers > answers or self._closed:
                    raise
            else:
                self._keep(peer, kept, idle_seconds)
                return
        from pacs_ai.net.scu.associate import request_association  # noqa: PLC0415 - see above

        association = self.without_idle(
            peer, lambda: request_association(peer, calling_aet, proposals, timeout)
        )
        with association.aborted_on_error():
            work(association)
        self._keep(peer, _Kept(association, calling_aet, frozenset(proposals)), idle_seconds)

    def without_idle(self, peer: "PeerAddress", call: Callable[[], T]) -> T:
        """Call what opens an association; if the peer rejects it, release the idle one, and retry.

        Some peers accept one association at a time. A peer that we have not used just now is asked
        once only.
        """
        for seconds in _PAUSES:
            try:
                return call()
            except AssociationRejected:
                if not self._make_room(peer):
                    raise
            pause(seconds)
        return call()

    def close(self) -> None:
        """Release all that are idle; from now on none is kept."""
        with self._changed:
            self._closed = True
            peers = list(self._idle)
        deadline = time.monotonic() + _RELEASE_SECONDS
        for peer in peers:
            self._release_idle(peer, max(0.0, deadline - time.monotonic()))

    def _take(
        self, peer: "PeerAddress", calling_aet: str, proposals: "Sequence[Proposal]"
    ) -> _Kept | None:
        """Take the idle association; one that does not fit is released."""
        kept = self._pop(peer)
        if kept is None or kept.fits(calling_aet, proposals):
            return kept
        self._release(peer, kept, _RELEASE_SECONDS)
        return None

    def _keep(self, peer: "PeerAddress", kept: _Kept, idle_seconds: float) -> None:
        young = time.monotonic() - kept.opened < _LONGEST_SECONDS
        with self._changed:
            if idle_seconds and young and not self._closed and peer not in self._idle:
                timer = threading.Timer(idle_seconds, self._release_idle, (peer,), {"only": kept})
                timer.daemon = True
                self._idle[peer] = kept, timer
                timer.start()
                return
        self._release(peer, kept, _RELEASE_SECONDS)

    def _pop(self, peer: "PeerAddress", only: _Kept | None = None) -> _Kept | None:
        """Take the idle association of a peer, or only this one; for the one who takes it alone."""
        with self._changed:
            kept, timer = self._idle.get(peer, (None, None))
            if kept is None or timer is None or only not in (None, kept):
                return None
            del self._idle[peer]
            timer.cancel()
            return kept

    def _release_idle(
        self, peer: "PeerAddress", seconds: float = _RELEASE_SECONDS, only: _Kept | None = None
    ) -> None:
        kept = self._pop(peer, only)
        if kept is not None:
            self._release(peer, kept, seconds)

    def _release(self, peer: "PeerAddress", kept: _Kept, seconds: float) -> None:
        with self._changed:
            self._releasing[peer] += 1
        try:
            kept.association.release(seconds)
        finally:
            with self._changed:
                self._releasing[peer] -= 1
                self._released[peer] = time.monotonic()
                self._changed.notify_all()

    def _make_room(self, peer: "PeerAddress") -> bool:
        """Release the idle association of a peer; False if there was none just now."""
        self._release_idle(peer)
        with self._changed:
            self._changed.wait_for(lambda: not self._releasing[peer], _RELEASE_SECONDS)
            released = self._released.get(peer)
        return released is not None and time.monotonic() - released < _JUST_NOW_SECONDS
