"""What becomes of a delivery after an attempt: STORED, WAITING for the next one, or FAILED.

The time decides, not the number of attempts: an archive in trouble refuses everything for a while,
and a spool without its mount has none of its files.
"""

from collections.abc import Sequence
from dataclasses import replace

from pacs_ai.config import Peer
from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome
from pacs_ai.errors import ConfigError, PacsAIError, StorageError
from pacs_ai.flow import retry
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.insist import insist
from pacs_ai.flow.intact import is_outage
from pacs_ai.logs import get_logger
from pacs_ai.store import deliveries, withholding
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Session
from pacs_ai.store.withdrawals import REJECTION

_log = get_logger()


def settle(
    context: FlowContext,
    session: Session,
    peer: Peer,
    claimed: ClaimedDelivery,
    outcome: DeliveryOutcome,
) -> bool:
    """Record what became of one file at its destination; True if the destination has it."""
    answer, error, status = outcome.answer, outcome.error, outcome.status or 0
    note = outcome.note
    if answer is DeliveryAnswer.HELD_ALREADY:
        note = _held(peer, claimed, status)
    if answer is DeliveryAnswer.STORED or (answer is DeliveryAnswer.HELD_ALREADY and note):
        return deliveries.stored(
            session, claimed, status=status, note=note, now=context.now(), actor=context.owner
        )
    if error is None:
        _withhold(context, session, claimed)
    elif answer is DeliveryAnswer.CLASS_REFUSED and claimed.kind == REJECTION:
        _withdraw_by_hand(context, session, claimed)
    else:
        may_be_held = claimed.may_be_held or outcome.unanswered
        claimed = replace(claimed, may_be_held=may_be_held)
        refused = answer is not DeliveryAnswer.NOT_NOW
        _not_taken(context, session, peer, claimed, error, outcome.status, refused=refused)
    return False


def _withhold(context: FlowContext, session: Session, claimed: ClaimedDelivery) -> None:
    """Move a delivery back to PENDING: its file may not leave at present."""
    withholding.hold(
        session, claimed.delivery_id, claimed.attempt, now=context.now(), actor=context.owner
    )


def _held(peer: Peer, claimed: ClaimedDelivery, status: int) -> str:
    """Return why we believe that the peer holds the object already; "" if we do not.

    A UID alone is no proof: an archive may have it from somebody else.
    """
    if claimed.may_be_held:
        return f"0x{status:04X}: the peer holds it since an earlier try whose answer did not come"
    if peer.commitment:
        return (
            f"0x{status:04X}: the peer says that it holds it already; storage commitment will tell"
        )
    return ""


def _withdraw_by_hand(context: FlowContext, session: Session, claimed: ClaimedDelivery) -> None:
    """End the delivery of a rejection note that the peer does not take, as most do not."""
    text = "the peer takes no rejection note: mark the withdrawn results there by hand"
    withholding.not_taken(
        session,
        claimed.delivery_id,
        claimed.attempt,
        text,
        now=context.now(),
        actor=context.owner,
    )
    _log.warning("rejection note not taken", delivery=claimed.delivery_id)


def _not_taken(
    context: FlowContext,
    session: Session,
    peer: Peer,
    claimed: ClaimedDelivery,
    error: PacsAIError,
    status: int | None,
    *,
    refused: bool,
) -> None:
    """Try again later, or fail the delivery after its time."""
    first, most = peer.retry_first_seconds, peer.retry_max_seconds
    if not refused:
        tried = (claimed.created_at, context.now(), claimed.attempt)
        if retry.over(*tried, hours=peer.retry_hours, limits=_limits(peer)):
            code = "RETRIES_OVER"
            give_up(context, session, claimed, code, error.message, status)
        else:
            pauses = claimed.pauses(error.code) + 1
            _postpone(context, session, peer, claimed, error, pauses, status=status)
        return
    refusals = claimed.refusals + 1
    if retry.refused_for_long(refusals, first, most, peer.retry_hours):
        give_up(context, session, claimed, error.code, error.message, status)
    else:
        _postpone(context, session, peer, claimed, error, refusals, status=status, refused=True)


def not_readable(
    context: FlowContext,
    session: Session,
    peer: Peer,
    claimed: ClaimedDelivery,
    error: StorageError,
) -> None:
    """Try again later where the spool could not be read, or fail the delivery after its time."""
    pauses = claimed.pauses(error.code)
    outage = is_outage(context.spool, error)
    if retry.worth(error, pauses, outage=outage, hours=peer.retry_hours, limits=_limits(peer)):
        _postpone(context, session, peer, claimed, error, pauses + 1)
        _log.error("result not readable", delivery=claimed.delivery_id, error=error.code)
    else:
        give_up(context, session, claimed, error.code, error.message)


def fail_all(context: FlowContext, batch: Sequence[ClaimedDelivery], error: ConfigError) -> None:
    """Move deliveries to FAILED that cannot be sent with this configuration."""

    def write(session: Session) -> None:
        for claimed in batch:
            give_up(context, session, claimed, error.code, error.message)

    insist(context, write)


def give_up(
    context: FlowContext,
    session: Session,
    claimed: ClaimedDelivery,
    code: str,
    text: str,
    status: int | None = None,
) -> None:
    """Move a delivery to FAILED, with an alarm."""
    deliveries.fail(
        session,
        claimed,
        code=code,
        text=text,
        now=context.now(),
        actor=context.owner,
        status=status,
    )
    _log.error("delivery failed", delivery=claimed.delivery_id, error=code, status=status)


def _limits(peer: Peer) -> tuple[float, float]:
    return peer.retry_first_seconds, peer.retry_max_seconds


def _postpone(
    context: FlowContext,
    session: Session,
    peer: Peer,
    claimed: ClaimedDelivery,
    error: PacsAIError,
    pauses: int,
    *,
    status: int | None = None,
    refused: bool = False,
) -> None:
    now = context.now()
    deliveries.postpone(
        session,
        claimed,
        code=error.code,
        text=error.message,
        due_at=now + retry.pause(pauses, *_limits(peer)),
        refusals=claimed.refusals + refused,
        now=now,
        actor=context.owner,
        status=status,
    )
