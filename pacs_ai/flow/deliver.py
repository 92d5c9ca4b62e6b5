"""Step 5: results travel to a destination, on one association for each job.

Every outcome is a row: a destination that is down costs time, never a result.
"""

import contextlib
from collections.abc import Sequence

from pacs_ai.clock import beating
from pacs_ai.config import Peer
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.errors import ConfigError, PeerError, StorageError, StoreRefused
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext, pair_key, split_pair
from pacs_ai.flow.substitute import substitute
from pacs_ai.logs import get_logger
from pacs_ai.net import client
from pacs_ai.net.status import Verdict
from pacs_ai.store import deliveries
from pacs_ai.store.deliveries import Parcel
from pacs_ai.store.session import Session

DOWN = ("PEER_UNREACHABLE", "ASSOCIATION_REJECTED")
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
            _fail_all(context, parcels, error)
            return
        _send(context, peer, destination, job, parcels)


def address(peer: Peer) -> client.PeerAddress:
    """Return where a configured peer is."""
    return client.PeerAddress(peer.ae_title, peer.host, peer.port)


def _renew(context: FlowContext, parcels: Sequence[Parcel]) -> None:
    """Renew the leases; a failure is made up for by the next time."""
    with contextlib.suppress(StorageError), context.database.write() as session:
        deliveries.renew(session, parcels, context.config.engine.lease_seconds, context.now())


def _send(
    context: FlowContext, peer: Peer, destination: str, job: str, parcels: Sequence[Parcel]
) -> None:
    by_path = {context.spool.path_of(parcel.path): parcel for parcel in parcels}
    try:
        outcomes = client.store(
            address(peer),
            context.config.node.ae_title,
            list(by_path),
            timeout=peer.timeout_seconds,
        )
    except PeerError as error:
        _postpone_all(context, peer, parcels, error)
        _log.warning("delivery postponed", job=job, peer=destination, error=error.code)
        return
    stored = 0
    left = [
        outcome
        for outcome in outcomes
        if not substitute(context, by_path[outcome.path], outcome, job, destination)
    ]
    with context.database.write() as session:
        for outcome in left:
            stored += _settle(context, session, peer, by_path[outcome.path], outcome)
        if stored and peer.commitment:
            context.engine.enqueue(session, TaskKind.COMMIT, pair_key(job, destination))
    _log.info("results delivered", job=job, peer=destination, stored=stored, of=len(parcels))


def _settle(
    context: FlowContext,
    session: Session,
    peer: Peer,
    parcel: Parcel,
    outcome: client.StoreOutcome,
) -> bool:
    """Write down what the peer said of one object; True if it has it."""
    if outcome.error is not None:
        refused = outcome.verdict is Verdict.REFUSED
        _try_again_or_fail(context, session, peer, parcel, outcome.error, refused=refused)
        return False
    status = outcome.status or 0
    return deliveries.stored(
        session,
        parcel,
        status=status,
        note=f"stored with status 0x{status:04X}" if outcome.warning else "",
        now=context.now(),
        actor=context.owner,
    )


def _try_again_or_fail(
    context: FlowContext,
    session: Session,
    peer: Peer,
    parcel: Parcel,
    error: PeerError,
    *,
    refused: bool,
) -> None:
    now = context.now()
    refusals = parcel.refusals + refused
    status = error.status if isinstance(error, StoreRefused) else None
    text = error.message
    over = retry.over(parcel.created_at, peer.retry_hours, now)
    if refusals >= retry.REFUSALS or (over and not refused):
        code = error.code if refused else "RETRIES_OVER"
        deliveries.fail(
            session, parcel, code=code, text=text, now=now, actor=context.owner, status=status
        )
        _log.error("delivery failed", delivery=parcel.delivery_id, error=code, status=status)
        return
    wait = retry.pause(parcel.attempt, peer.retry_first_seconds, peer.retry_max_seconds)
    deliveries.postpone(
        session,
        parcel,
        code=error.code,
        text=text,
        due_at=now + wait,
        refusals=refusals,
        now=now,
        actor=context.owner,
        status=status,
    )


def _postpone_all(
    context: FlowContext, peer: Peer, parcels: Sequence[Parcel], error: PeerError
) -> None:
    with context.database.write() as session:
        for parcel in parcels:
            _try_again_or_fail(context, session, peer, parcel, error, refused=not error.retryable)


def _fail_all(context: FlowContext, parcels: Sequence[Parcel], error: ConfigError) -> None:
    with context.database.write() as session:
        for parcel in parcels:
            deliveries.fail(
                session,
                parcel,
                code=error.code,
                text=error.message,
                now=context.now(),
                actor=context.owner,
            )


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
        if peer is None:
            continue
        try:
            client.echo(address(peer), context.config.node.ae_title, timeout=peer.timeout_seconds)
        except PeerError:
            continue
        back += 1
        release(context, destination)
    return back


def release(context: FlowContext, destination: str | None = None) -> None:
    """Send again what is due, or all that waits for one destination."""
    with context.database.write() as session:
        woken = deliveries.release_due(session, context.now(), destination, actor=context.owner)
        for job_id, name in woken:
            context.engine.enqueue(session, TaskKind.DELIVER, pair_key(job_id, name))
