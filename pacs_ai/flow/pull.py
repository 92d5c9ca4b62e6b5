"""Studies are fetched from archives: one at a time, and no more in a minute than is allowed.

What is to be fetched stands in rows: a list survives every crash. The archive sends the instances
to this node (C-MOVE), where they go the way of everything that arrives.
"""

from datetime import timedelta

from pacs_ai.config import DimsePeer
from pacs_ai.destinations.addresses import address
from pacs_ai.errors import ConfigError, PacsAIError, PeerError
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.net.scu import client
from pacs_ai.store import pulls
from pacs_ai.store.pulls import ClaimedPull

_MINUTE = 60.0

_log = get_logger()


class Puller:
    """Fetches what is due.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._next = 0.0

    def sweep(self) -> None:
        """Fetch studies until none is due, the node stops, or the rate is used up."""
        context = self._context
        while not context.stopping.is_set() and context.clock.monotonic() >= self._next:
            with context.write() as transaction:
                claimed = pulls.claim(transaction)
            if claimed is None:
                return
            peer = context.config.peers.get(claimed.peer)
            rate = peer.pull_per_minute if isinstance(peer, DimsePeer) else None
            self._next = context.clock.monotonic() + (_MINUTE / rate if rate else 0)
            self._fetch(claimed, peer)

    def _fetch(self, claimed: ClaimedPull, peer: object) -> None:
        context = self._context
        try:
            if not isinstance(peer, DimsePeer):
                raise ConfigError(f"peers.{claimed.peer} is no DICOM node of the configuration")
            moved = client.move_study(
                address(context.config, peer),
                context.config.node.ae_title,
                context.config.node.ae_title,
                claimed.study_instance_uid,
                peer.timeout_seconds,
            )
            if moved.failed:
                text = f"{moved.failed} of {moved.completed + moved.failed} instances did not come"
                raise PeerError(f"{claimed.peer}: {text}")
        except PacsAIError as error:
            if not context.stopping.is_set():
                self._put_off(claimed, peer, error)
            return
        with context.write() as transaction:
            pulls.done(transaction, claimed, moved.completed)
        _log.info(
            "study fetched",
            study=study_ref(claimed.study_instance_uid),
            peer=claimed.peer,
            instances=moved.completed,
        )

    def _put_off(self, claimed: ClaimedPull, peer: object, error: PacsAIError) -> None:
        """Try again later, or give up after the time of the peer."""
        with self._context.write() as transaction:
            hours = peer.retry_hours if isinstance(peer, DimsePeer) else 0.0
            over = transaction.now - claimed.created_at >= timedelta(hours=hours)
            if over or not isinstance(peer, DimsePeer):
                pulls.fail(transaction, claimed, error.code, error.message)
            else:
                limits = peer.retry_first_seconds, peer.retry_max_seconds
                due = transaction.now + retry.pause(claimed.attempt, *limits)
                pulls.postpone(transaction, claimed, error.code, error.message, due)
        _log.warning(
            "study not fetched",
            study=study_ref(claimed.study_instance_uid),
            peer=claimed.peer,
            error=error.code,
        )
