"""The results of a job are sent to a destination, all of them together.

Every outcome is a row: a destination that is down delays results, and loses none.
"""

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence

from pacs_ai.clock import heartbeat
from pacs_ai.config import Peer
from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, OutgoingFile
from pacs_ai.destinations.kinds import destination_of
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.errors import ConfigError, PeerError, StorageError
from pacs_ai.flow import retry, settle
from pacs_ai.flow.ask import ask_delivery, priority_of_job
from pacs_ai.flow.context import FlowContext, pair_key, split_pair
from pacs_ai.flow.delete_withdrawn import deleting
from pacs_ai.flow.integrity import check_result
from pacs_ai.flow.record_outcome import record_outcome
from pacs_ai.flow.substitute import substitute
from pacs_ai.logs import get_logger
from pacs_ai.store import deliveries, withholding
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Transaction
from pacs_ai.withdrawal_kinds import WithdrawalWay

DOWN = (
    "PEER_UNREACHABLE",
    "FOLDER_UNAVAILABLE",
    "TLS_FAILED",
    "NO_PASSCODE",
    "ASSOCIATION_REJECTED",
    "LOGIN_REFUSED",
    "PEER_BUSY",
)
"""Errors after which a destination is probed, so that it need not wait for the next try."""

PROBE_SECONDS = 30.0
"""How long the sweep waits for its probes; one that takes longer goes on by itself."""

_LOOK_SECONDS = 0.2

_log = get_logger()


def deliver(context: FlowContext, key: str) -> None:
    """Send what a job has for a destination.

    Parameters
    ----------
    key
        The job's id and the destination's name.
    """
    job, name = split_pair(key)
    peer, limits = context.config.peers.get(name), context.limits
    places = 1 if peer is None else peer.concurrency
    priority = priority_of_job(context, job)
    if not limits.begin(name, key, places, priority):
        return
    try:
        limits.wait_turn(name, None if peer is None else peer.per_minute, context.stopping)
        if not context.stopping.is_set() and not limits.gives_way(name, key, priority):
            _deliver(context, peer, name, job)
    finally:
        _wake(context, limits.end(name, key))


def _wake(context: FlowContext, key: str | None) -> None:
    """Ask for a delivery that has waited for a place; the sweep does it if this fails."""
    if key is not None:
        with contextlib.suppress(StorageError), context.write(durable=False) as transaction:
            ask_delivery(context, transaction, *split_pair(key))


def _deliver(context: FlowContext, peer: Peer | None, name: str, job: str) -> None:
    seconds = context.config.engine.lease_seconds
    with context.write() as transaction:
        batch = deliveries.claim(transaction, JobId(job), name, lease_seconds=seconds)
    if not batch:
        return
    with heartbeat(seconds / 3, lambda: _renew(context, batch)):
        if peer is None:
            error = ConfigError(f"destination {name!r} is not in the configuration any more")
            settle.fail_all(context, batch, error)
            return
        intact = _intact(context, peer, batch)
        if intact:
            _send(context, peer, name, job, intact)


def _renew(context: FlowContext, batch: Sequence[ClaimedDelivery]) -> None:
    """Renew the leases; after a failure the next time does it."""
    with contextlib.suppress(StorageError), context.write(durable=False) as transaction:
        deliveries.renew(transaction, batch, context.config.engine.lease_seconds)


def _intact(
    context: FlowContext, peer: Peer, batch: Sequence[ClaimedDelivery]
) -> list[ClaimedDelivery]:
    """Return the results whose files are as they were made; postpone or fail the others."""
    intact = []
    for claimed in batch:
        try:
            check_result(context.spool, claimed.path, claimed.bytes, claimed.digest)
        except StorageError as error:
            _put_off(context, peer, claimed, error)
        else:
            intact.append(claimed)
    return intact


def _put_off(
    context: FlowContext, peer: Peer, claimed: ClaimedDelivery, error: StorageError
) -> None:
    def write(transaction: Transaction) -> None:
        settle.not_readable(context, transaction, peer, claimed, error)

    record_outcome(context, write)


def _send(
    context: FlowContext, peer: Peer, name: str, job: str, batch: Sequence[ClaimedDelivery]
) -> None:
    files = {
        OutgoingFile(context.spool.path_of(claimed.path), claimed.sop_instance_uid): claimed
        for claimed in batch
    }
    outcomes = _attempt(context, peer, name, files)
    left = [
        (claimed, outcome)
        for claimed, outcome in zip(batch, outcomes, strict=True)
        if not _interrupted(context, outcome)
        and not _substituted(context, peer, claimed, outcome, job, name)
    ]

    def write(transaction: Transaction) -> int:
        stored = sum(settle.settle(transaction, peer, *one) for one in left)
        if stored and peer.asks_commitment:
            context.engine.enqueue(transaction, TaskKind.COMMIT, pair_key(job, name))
        return stored

    if not left:
        return
    stored = record_outcome(context, write)
    late = [one.error for _, one in left if one.answer is DeliveryAnswer.NOT_NOW and one.error]
    if late and not stored:
        _log.warning("delivery postponed", job=job, peer=name, error=late[0].code)
    else:
        _log.info("results delivered", job=job, peer=name, stored=stored, of=len(batch))


def _attempt(
    context: FlowContext, peer: Peer, name: str, files: Mapping[OutgoingFile, ClaimedDelivery]
) -> Sequence[DeliveryOutcome]:
    """Hand files over, unless the destination is known to be down: then it is only probed."""
    limits = context.limits
    outage = limits.outage(name)
    if outage is not None:
        return [DeliveryOutcome(DeliveryAnswer.NOT_NOW, outage)] * len(files)
    destination = destination_of(context.config, name, context.associations)
    if peer.withdrawal is WithdrawalWay.DELETE:
        destination = deleting(context, name, destination, list(files.values()))
    outcomes = destination.deliver(list(files), lambda file: _may_leave(context, files[file]))
    limits.count_sent(name, peer.per_minute, len(files))
    for outcome in outcomes:
        if outcome.error is not None and outcome.error.code in DOWN:
            limits.out_of_reach(name, outcome.error)
            return outcomes
    if limits.reached(name):
        release(context, name)
    return outcomes


def _interrupted(context: FlowContext, outcome: DeliveryOutcome) -> bool:
    """Tell whether an attempt failed because the node stops.

    Nothing is written then: the stop gives the leases back, as if the attempt had not begun.
    """
    return outcome.error is not None and context.stopping.is_set()


def _may_leave(context: FlowContext, claimed: ClaimedDelivery) -> bool:
    """Ask right before a file leaves: its study may have come into CONFLICT since.

    If the database cannot be read, the file does not leave now.
    """
    with contextlib.suppress(StorageError), context.database.read() as session:
        return withholding.may_leave(session, claimed.delivery_id, claimed.attempt)
    return False


def _substituted(
    context: FlowContext,
    peer: Peer,
    claimed: ClaimedDelivery,
    outcome: DeliveryOutcome,
    job: str,
    name: str,
) -> bool:
    """Replace a report of a class that is refused; True also if that failed and is tried again."""
    if outcome.answer is not DeliveryAnswer.CLASS_REFUSED:
        return False
    try:
        return substitute(context, claimed, job, name)
    except StorageError as error:
        _put_off(context, peer, claimed, error)
        return True


def probe(context: FlowContext) -> int:
    """Ask destinations that were down whether they are back.

    One that answers gets the results of one job, and all that waits for it once it has taken them.

    Returns
    -------
    int
        How many are back.
    """
    with context.database.read() as session:
        waiting = deliveries.waiting_destinations(session, DOWN)
    back: list[str] = []
    threads = [
        threading.Thread(target=_probe, args=(context, name, back), name="probe", daemon=True)
        for name in waiting
        if name in context.config.peers and context.limits.begin_probe(name)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PROBE_SECONDS
    for thread in threads:
        while thread.is_alive() and time.monotonic() < deadline and not context.stopping.is_set():
            thread.join(_LOOK_SECONDS)
    return len(back)


def _probe(context: FlowContext, name: str, back: list[str]) -> None:
    """Probe a destination in a thread of its own: a mount that hangs stops no other probe."""
    try:
        destination_of(context.config, name, context.associations).probe()
        context.limits.try_one(name)
        release(context, name, only_one=True)
    except (PeerError, StorageError):
        return
    finally:
        context.limits.end_probe(name)
    back.append(name)


def release(
    context: FlowContext, destination: str | None = None, *, only_one: bool = False
) -> None:
    """Make PENDING what is due, or what waits for one destination because it was down.

    Parameters
    ----------
    only_one
        Only what waits longest: the results of one job.
    """
    most = max((peer.retry_max_seconds for peer in context.config.peers.values()), default=0)
    with context.write() as transaction:
        woken = deliveries.release_due(
            transaction, destination, DOWN, longest=retry.longest(most), only_one=only_one
        )
        for job_id, name in woken:
            ask_delivery(context, transaction, job_id, name)
