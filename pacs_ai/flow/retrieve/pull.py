"""Studies that were asked for are fetched: one at a time from each archive, no faster than allowed.

What is to be fetched stands in rows: a list survives every crash. An archive that is out of reach
is asked for one study now and then, and holds up no other archive.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pacs_ai.config import DicomwebPeer, DimsePeer, Peer
from pacs_ai.errors import ConfigError, PacsAIError, PeerError, StorageError
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import DOWN
from pacs_ai.flow.record_outcome import record_outcome
from pacs_ai.flow.retrieve.study import retrieve_study
from pacs_ai.flow.source_count import StudyUnknown
from pacs_ai.logs import Outage, get_logger, study_ref
from pacs_ai.net.scp.handlers import StorageHandlers
from pacs_ai.store import instances, pulls
from pacs_ai.store.pulls import ClaimedPull, Failure
from pacs_ai.store.session import Transaction

TRIES = 5
"""Tries of a study that the archive refuses, or sends only in part."""

OUTAGE = frozenset((*DOWN, "DESTINATION_UNKNOWN", "CONTEXT_REJECTED"))
"""Errors that any other study of the same archive would meet."""

_MINUTE = 60.0
_LOOK_SECONDS = 1.0

_log = get_logger()


@dataclass(slots=True)
class _Archive:
    """What is known of an archive: whether it is asked now, and when it may be asked again.

    ``failures`` counts the outages in a row; times are on the monotonic clock.
    """

    busy: bool = False
    failures: int = 0
    rests_until: float = 0.0
    storage: Outage = field(default_factory=Outage)


class _Unwanted:
    """Tells while a study comes whether it was cancelled; it looks once a second."""

    def __init__(self, context: FlowContext, claimed: ClaimedPull) -> None:
        self._context, self._claimed = context, claimed
        self._again = time.monotonic() + _LOOK_SECONDS

    def __call__(self) -> bool:
        if time.monotonic() < self._again:
            return False
        self._again = time.monotonic() + _LOOK_SECONDS
        try:
            with self._context.database.read() as session:
                return not pulls.is_wanted(session, self._claimed)
        except StorageError:
            return False  # the next look tells


class Puller:
    """Fetches what is due, with a thread for each archive.

    Parameters
    ----------
    context
        The node.
    handlers
        Store what does not come by the listener.
    """

    def __init__(self, context: FlowContext, handlers: StorageHandlers) -> None:
        self._context = context
        self._handlers = handlers
        self._lock = threading.Lock()
        self._archives: dict[str, _Archive] = {}

    def sweep(self) -> None:
        """Start to fetch from each archive that something is due from, and that is not busy."""
        context = self._context
        with context.database.read() as session:
            names = pulls.peers_due(session, context.now(), context.owner)
        for name in names:
            if self._begin(name):
                threading.Thread(
                    target=self._work, args=(name,), name=f"pull {name}", daemon=True
                ).start()

    def _begin(self, name: str) -> bool:
        with self._lock:
            archive = self._archives.setdefault(name, _Archive())
            if archive.busy or self._context.clock.monotonic() < archive.rests_until:
                return False
            archive.busy = True
            return True

    def _work(self, name: str) -> None:
        """Fetch until nothing is due, the archive rests, or the node stops."""
        context, archive = self._context, self._archives[name]
        try:
            with context.write() as transaction:
                pulls.take_back(transaction, context.owner, name)
            archive.storage.ends()  # the sweep tells of it
            while not context.stopping.is_set():
                with context.write() as transaction:
                    claimed = pulls.claim(transaction, name)
                if claimed is None:
                    return
                begun = context.clock.monotonic()
                self._fetch(claimed, context.config.peers.get(name), archive)
                archive.rests_until = max(archive.rests_until, begun + self._interval(name))
                if context.clock.monotonic() < archive.rests_until:
                    return
        except StorageError as error:  # the next sweep tries again
            if archive.storage.begins(error.code):
                _log.warning("sweep failed", sweep="pull", error=error.code, reason=error.message)
        finally:
            archive.busy = False

    def _interval(self, name: str) -> float:
        peer = self._context.config.peers.get(name)
        rate = peer.pull_per_minute if isinstance(peer, DimsePeer | DicomwebPeer) else None
        return _MINUTE / rate if rate else 0.0

    def _fetch(self, claimed: ClaimedPull, peer: Peer | None, archive: _Archive) -> None:
        context, uid = self._context, claimed.study_instance_uid
        unwanted = _Unwanted(context, claimed)
        try:
            count = retrieve_study(context, self._handlers, claimed.peer, uid, unwanted)
        except PacsAIError as error:
            self._failed(claimed, peer, archive, error)
            return
        except Exception as error:  # noqa: BLE001 - an archive may send anything
            unexpected = PeerError(f"{claimed.peer}: unexpected {type(error).__name__}")
            self._failed(claimed, peer, archive, unexpected)
            return
        archive.failures, archive.rests_until = 0, 0.0
        if record_outcome(context, lambda transaction: pulls.done(transaction, claimed, count)):
            reference = study_ref(uid)
            _log.info("study fetched", study=reference, peer=claimed.peer, instances=count)

    def _failed(
        self, claimed: ClaimedPull, peer: Peer | None, archive: _Archive, error: PacsAIError
    ) -> None:
        """Try again later, or give up; what was cancelled ends in this way, too."""
        context, reference = self._context, study_ref(claimed.study_instance_uid)
        if context.stopping.is_set():
            return  # the next start fetches it
        pause = timedelta()
        if peer is not None:
            outage = isinstance(error, StorageError) or error.code in OUTAGE
            archive.failures = archive.failures + 1 if outage else 0
            tries = archive.failures if outage else claimed.attempt
            pause = retry.pause(tries, peer.retry_first_seconds, peer.retry_max_seconds)
            if outage:
                rests = context.clock.monotonic() + pause.total_seconds()
                archive.rests_until = rests
        over = peer is None or self._over(claimed, peer, archive, error)

        def write(transaction: Transaction) -> bool:
            here = instances.count_of_study(transaction, claimed.study_instance_uid)
            failure = Failure(error.code, error.message, here)
            if over:
                return pulls.fail(transaction, claimed, failure)
            return pulls.postpone(transaction, claimed, failure, transaction.now + pause)

        if record_outcome(context, write):
            _log.warning("study not fetched", study=reference, peer=claimed.peer, error=error.code)
        else:
            _log.info("study cancelled while it was fetched", study=reference, peer=claimed.peer)

    def _over(
        self, claimed: ClaimedPull, peer: Peer, archive: _Archive, error: PacsAIError
    ) -> bool:
        """Tell whether a study is given up: an outage may last long, a refusal is final sooner."""
        if isinstance(error, ConfigError | StudyUnknown):
            return True
        limits = peer.retry_first_seconds, peer.retry_max_seconds
        now: datetime = self._context.now()
        if archive.failures:
            attempts, hours = archive.failures, peer.retry_hours
            return retry.over(claimed.created_at, now, attempts, hours=hours, limits=limits)
        return claimed.attempt >= TRIES
