"""Step 5: results travel to a destination, on one association for each job.

Every outcome is a row: a destination that is down costs time, never a result.
"""

import contextlib
from collections.abc import Sequence
from functools import partial

from pacs_ai.clock import beating
from pacs_ai.config import Peer
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.errors import ConfigError, PeerError, StorageError
from pacs_ai.flow import retry, settle
from pacs_ai.flow.addresses import address
from pacs_ai.flow.context import FlowContext, pair_key, split_pair
from pacs_ai.flow.insist import insist
from pacs_ai.flow.intact import check_result
from pacs_ai.flow.substitute import substitute
from pacs_ai.logs import get_logger
from pacs_ai.net.scu import client
from pacs_ai.store import deliveries, withholding
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Session

DOWN = ("PEER_UNREACHABLE", "TLS_FAILED", "NO_PASSCODE", "ASSOCIATION_REJECTED")
"""Errors of a destination that gets a probe instead of a longer and longer pause."""

_log = get_logger()


def deliver(context: FlowContext, key: str) -> None:
    """Send what a job has for a destination.

    Parameters
    ----------
    key
        The job's id and the destination's name.
    """
    job, destination = split_pair(key)
    seconds = context.config.engine.lease_seconds
    with context.database.write() as session:
        parcels = deliveries.claim(
            session,
            JobId(job),
            destination,
            owner=context.owner,
            lease_seconds=seconds,
            now=context.now(),
        )
    if not parcels:
        return
    with beating(seconds / 3, lambda: _renew(context, parcels)):
        peer = context.config.peers.get(destination)
        if peer is None:
            error = ConfigError(f"destination {destination!r} is not in the configuration any more")
            settle.fail_all(context, parcels, error)
            return
        intact = _intact(context, peer, parcels)
        if intact:
            _send(context, peer, destination, job, intact)


def _renew(context: FlowContext, parcels: Sequence[ClaimedDelivery]) -> None:
    """Renew the leases; a failure is made up for by the next time."""
    with contextlib.suppress(StorageError), context.database.write() as session:
        deliveries.renew(session, parcels, context.config.engine.lease_seconds, context.now())


def _intact(
    context: FlowContext, peer: Peer, parcels: Sequence[ClaimedDelivery]
) -> list[ClaimedDelivery]:
    """Return what is in the spool as it was made; put off or give up the rest."""
    intact = []
    for parcel in parcels:
        try:
            check_result(context.spool, parcel.path, parcel.bytes, parcel.sha256)
        except StorageError as error:
            insist(context, partial(_put_off, context, peer, parcel, error))
        else:
            intact.append(parcel)
    return intact


def _put_off(
    context: FlowContext, peer: Peer, parcel: ClaimedDelivery, error: StorageError, session: Session
) -> None:
    settle.not_readable(context, session, peer, parcel, error)


def _send(
    context: FlowContext, peer: Peer, destination: str, job: str, parcels: Sequence[ClaimedDelivery]
) -> None:
    by_path = {context.spool.path_of(parcel.path): parcel for parcel in parcels}
    try:
        outcomes = client.store(
            address(context.config, peer),
            context.config.node.ae_title,
            list(by_path),
            timeout=peer.timeout_seconds,
            may_leave=lambda path: _may_leave(context, by_path[path]),
        )
    except PeerError as error:
        if context.stopping.is_set():
            return  # the leases are given back at the end: it stays as if it had not begun
        insist(context, partial(_postpone_all, context, peer, parcels, error))
        _log.warning("delivery postponed", job=job, peer=destination, error=error.code)
        return
    left = [
        (by_path[outcome.path], outcome)
        for outcome in outcomes
        if not (outcome.error is not None and context.stopping.is_set())
        and not _held(context, by_path[outcome.path], outcome)
        and not _substituted(context, peer, by_path[outcome.path], outcome, job, destination)
    ]

    def write(session: Session) -> int:
        stored = sum(settle.settle(context, session, peer, *one) for one in left)
        if stored and peer.commitment:
            context.engine.enqueue(session, TaskKind.COMMIT, pair_key(job, destination))
        return stored

    stored = insist(context, write)
    _log.info("results delivered", job=job, peer=destination, stored=stored, of=len(parcels))


def _may_leave(context: FlowContext, parcel: ClaimedDelivery) -> bool:
    """Ask right before an object leaves: meanwhile its study may have come into CONFLICT.

    Where nobody can say, it does not leave now.
    """
    with contextlib.suppress(StorageError), context.database.read() as session:
        return withholding.may_leave(session, parcel.delivery_id, parcel.attempt)
    return False


def _held(context: FlowContext, parcel: ClaimedDelivery, outcome: client.StoreOutcome) -> bool:
    """Give back what was not sent because it was not to leave any more."""
    if not isinstance(outcome.error, client.Withheld):
        return False

    def write(session: Session) -> None:
        withholding.hold(
            session, parcel.delivery_id, parcel.attempt, now=context.now(), actor=context.owner
        )

    insist(context, write)
    return True


def _substituted(
    context: FlowContext,
    peer: Peer,
    parcel: ClaimedDelivery,
    outcome: client.StoreOutcome,
    job: str,
    destination: str,
) -> bool:
    """Tell whether an object is dealt with: replaced, or put off as that failed for now."""
    try:
        return substitute(context, parcel, outcome, job, destination)
    except StorageError as error:
        insist(context, partial(_put_off, context, peer, parcel, error))
        return True


def _postpone_all(
    context: FlowContext,
    peer: Peer,
    parcels: Sequence[ClaimedDelivery],
    error: PeerError,
    session: Session,
) -> None:
    for parcel in parcels:
        settle.not_taken(context, session, peer, parcel, error, refused=not error.retryable)


def probe(context: FlowContext) -> int:
    """Ask destinations that were down whether they are back; send what waits for those that are.

    Returns
    -------
    int
        How many answered.
    """
    with context.database.read() as session:
        waiting = deliveries.waiting_destinations(session, DOWN)
    back = 0
    for destination in waiting:
        peer = context.config.peers.get(destination)
        if peer is None or context.stopping.is_set():
            continue
        try:
            client.echo(
                address(context.config, peer),
                context.config.node.ae_title,
                timeout=peer.timeout_seconds,
            )
        except PeerError:
            continue
        back += 1
        release(context, destination)
    return back


def release(context: FlowContext, destination: str | None = None) -> None:
    """Send again what is due, or what waits for one destination because it was down."""
    most = max((peer.retry_max_seconds for peer in context.config.peers.values()), default=0)
    with context.database.write() as session:
        woken = deliveries.release_due(
            session,
            context.now(),
            destination,
            DOWN,
            longest=retry.longest(most),
            actor=context.owner,
        )
        for job_id, name in woken:
            context.engine.enqueue(session, TaskKind.DELIVER, pair_key(job_id, name))
