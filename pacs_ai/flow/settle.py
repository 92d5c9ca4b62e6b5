"""What becomes of a delivery after an attempt: stored, to be tried again, or FAILED.

Time decides, not the number of attempts: an archive in trouble refuses everything for a while, and
a spool that lost its mount has none of its files.
"""

from collections.abc import Sequence
from dataclasses import replace

from pacs_ai.config import Peer
from pacs_ai.errors import (
    ConfigError,
    ContextRejected,
    PacsAIError,
    PeerError,
    StorageError,
    StoreRefused,
)
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.insist import insist
from pacs_ai.flow.intact import is_outage
from pacs_ai.logs import get_logger
from pacs_ai.net.scu import client
from pacs_ai.net.status import Status, Verdict
from pacs_ai.store import deliveries, withholding
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Session
from pacs_ai.store.withdrawals import REJECTION

_log = get_logger()


def settle(
    context: FlowContext,
    session: Session,
    peer: Peer,
    parcel: ClaimedDelivery,
    outcome: client.StoreOutcome,
) -> bool:
    """Write down what the peer said of one object; True if it has it."""
    if parcel.kind == REJECTION and isinstance(outcome.error, ContextRejected):
        _withdraw_by_hand(context, session, parcel)
        return False
    status = outcome.status or 0
    note = f"stored with status 0x{status:04X}" if outcome.warning else ""
    if status == Status.DUPLICATE_INSTANCE:
        note = _held(peer, parcel)
    if outcome.error is not None and not note:
        refused = outcome.verdict is Verdict.REFUSED
        may_be_held = parcel.may_be_held or outcome.unanswered
        parcel = replace(parcel, may_be_held=may_be_held)
        not_taken(context, session, peer, parcel, outcome.error, refused=refused)
        return False
    return deliveries.stored(
        session, parcel, status=status, note=note, now=context.now(), actor=context.owner
    )


def _held(peer: Peer, parcel: ClaimedDelivery) -> str:
    """Say why 0x0111 (duplicate SOP Instance) means that the peer holds the object; "" if not.

    A UID alone is no proof: an archive may have it from somebody else.
    """
    if parcel.may_be_held:
        return "0x0111: the peer holds it since an earlier try whose answer did not come"
    if peer.commitment:
        return "0x0111: the peer says that it holds it already; storage commitment will tell"
    return ""


def _withdraw_by_hand(context: FlowContext, session: Session, parcel: ClaimedDelivery) -> None:
    """Leave it at that where a peer takes no rejection notes: most do not."""
    text = "the peer takes no rejection note: mark the withdrawn results there by hand"
    withholding.not_taken(
        session,
        parcel.delivery_id,
        parcel.attempt,
        text,
        now=context.now(),
        actor=context.owner,
    )
    _log.warning("rejection note not taken", delivery=parcel.delivery_id)


def not_taken(
    context: FlowContext,
    session: Session,
    peer: Peer,
    parcel: ClaimedDelivery,
    error: PeerError,
    *,
    refused: bool,
) -> None:
    """Try again later what a peer did not take, or give it up after its time."""
    first, most = peer.retry_first_seconds, peer.retry_max_seconds
    status = error.status if isinstance(error, StoreRefused) else None
    if not refused:
        tried = (parcel.created_at, context.now(), parcel.attempt)
        if retry.over(*tried, hours=peer.retry_hours, limits=_limits(peer)):
            code = "RETRIES_OVER"
            give_up(context, session, parcel, code, error.message, status)
        else:
            pauses = parcel.pauses(error.code) + 1
            _postpone(context, session, peer, parcel, error, pauses)
        return
    refusals = parcel.refusals + 1
    if retry.refused_for_long(refusals, first, most, peer.retry_hours):
        give_up(context, session, parcel, error.code, error.message, status)
    else:
        _postpone(context, session, peer, parcel, error, refusals, refused=True)


def not_readable(
    context: FlowContext, session: Session, peer: Peer, parcel: ClaimedDelivery, error: StorageError
) -> None:
    """Try again later what the spool did not give, or give it up after its time."""
    pauses = parcel.pauses(error.code)
    outage = is_outage(context.spool, error)
    if retry.worth(error, pauses, outage=outage, hours=peer.retry_hours, limits=_limits(peer)):
        _postpone(context, session, peer, parcel, error, pauses + 1)
        _log.error("result not readable", delivery=parcel.delivery_id, error=error.code)
    else:
        give_up(context, session, parcel, error.code, error.message)


def fail_all(context: FlowContext, parcels: Sequence[ClaimedDelivery], error: ConfigError) -> None:
    """Move deliveries to FAILED that cannot be sent as things are."""

    def write(session: Session) -> None:
        for parcel in parcels:
            give_up(context, session, parcel, error.code, error.message)

    insist(context, write)


def give_up(
    context: FlowContext,
    session: Session,
    parcel: ClaimedDelivery,
    code: str,
    text: str,
    status: int | None = None,
) -> None:
    """Move a delivery to FAILED, with an alarm."""
    deliveries.fail(
        session,
        parcel,
        code=code,
        text=text,
        now=context.now(),
        actor=context.owner,
        status=status,
    )
    _log.error("delivery failed", delivery=parcel.delivery_id, error=code, status=status)


def _limits(peer: Peer) -> tuple[float, float]:
    return peer.retry_first_seconds, peer.retry_max_seconds


def _postpone(
    context: FlowContext,
    session: Session,
    peer: Peer,
    parcel: ClaimedDelivery,
    error: PacsAIError,
    pauses: int,
    *,
    refused: bool = False,
) -> None:
    now = context.now()
    deliveries.postpone(
        session,
        parcel,
        code=error.code,
        text=error.message,
        due_at=now + retry.pause(pauses, *_limits(peer)),
        refusals=parcel.refusals + refused,
        now=now,
        actor=context.owner,
        status=error.status if isinstance(error, StoreRefused) else None,
    )
