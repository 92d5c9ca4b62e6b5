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
from pacs_ai.flow.integrity import is_outage
from pacs_ai.flow.record_outcome import record_outcome
from pacs_ai.logs import get_logger
from pacs_ai.store import deliveries
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.session import Transaction
from pacs_ai.withdrawal_kinds import Notice

_log = get_logger()


def settle(
    transaction: Transaction,
    peer: Peer,
    claimed: ClaimedDelivery,
    outcome: DeliveryOutcome,
) -> bool:
    """Record what became of one file at its destination; True if the destination has it."""
    answer, error, note = outcome.answer, outcome.error, outcome.note
    claimed = replace(claimed, may_be_held=claimed.may_be_held or outcome.unanswered)
    if answer is DeliveryAnswer.HELD_ALREADY:
        note = _held(peer, claimed, outcome.status or 0)
    if answer is DeliveryAnswer.STORED or (answer is DeliveryAnswer.HELD_ALREADY and note):
        return deliveries.stored(transaction, claimed, status=outcome.status, note=note)
    if error is None:
        deliveries.hold(transaction, claimed)
    elif answer is DeliveryAnswer.CLASS_REFUSED and claimed.kind == Notice.NOTE:
        _withdraw_by_hand(transaction, claimed)
    else:
        refused = answer is not DeliveryAnswer.NOT_NOW
        _not_taken(transaction, peer, claimed, error, outcome.status, refused=refused)
    return False


def _held(peer: Peer, claimed: ClaimedDelivery, status: int) -> str:
    """Return why we believe that the peer holds the object already; "" if we do not.

    A UID alone is no proof: an archive may have it from somebody else.
    """
    if claimed.may_be_held:
        return f"0x{status:04X}: the peer holds it since an earlier try whose answer did not come"
    if peer.asks_commitment:
        return (
            f"0x{status:04X}: the peer says that it holds it already; storage commitment will tell"
        )
    return ""


def _withdraw_by_hand(transaction: Transaction, claimed: ClaimedDelivery) -> None:
    """End the delivery of a rejection note that the peer does not take, as most do not."""
    text = "the peer takes no rejection note: mark the withdrawn results there by hand"
    deliveries.not_taken(transaction, claimed, text)
    _log.warning("rejection note not taken", delivery=claimed.delivery_id)


def _not_taken(
    transaction: Transaction,
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
        attempts = claimed.attempt - claimed.earlier_attempts
        tried = (claimed.created_at, transaction.now, attempts)
        if retry.over(*tried, hours=peer.retry_hours, limits=_limits(peer)):
            code = "RETRIES_OVER"
            give_up(transaction, claimed, code, error.message, status)
        else:
            pauses = claimed.pauses(error.code) + 1
            _postpone(transaction, peer, claimed, error, pauses, status=status)
        return
    refusals = claimed.refusals + 1
    if retry.refused_for_long(refusals, first, most, peer.retry_hours):
        give_up(transaction, claimed, error.code, error.message, status)
    else:
        _postpone(transaction, peer, claimed, error, refusals, status=status, refused=True)


def not_readable(
    context: FlowContext,
    transaction: Transaction,
    peer: Peer,
    claimed: ClaimedDelivery,
    error: StorageError,
) -> None:
    """Try again later where the spool could not be read, or fail the delivery after its time."""
    pauses = claimed.pauses(error.code)
    outage = is_outage(context.spool, error)
    if retry.may_retry(error, pauses, outage=outage, hours=peer.retry_hours, limits=_limits(peer)):
        _postpone(transaction, peer, claimed, error, pauses + 1)
        _log.error("result not readable", delivery=claimed.delivery_id, error=error.code)
    else:
        give_up(transaction, claimed, error.code, error.message)


def fail_all(context: FlowContext, batch: Sequence[ClaimedDelivery], error: ConfigError) -> None:
    """Move deliveries to FAILED that cannot be sent with this configuration."""

    def write(transaction: Transaction) -> None:
        for claimed in batch:
            give_up(transaction, claimed, error.code, error.message)

    record_outcome(context, write)


def give_up(
    transaction: Transaction,
    claimed: ClaimedDelivery,
    code: str,
    text: str,
    status: int | None = None,
) -> None:
    """Move a delivery to FAILED, with an alarm."""
    deliveries.fail(transaction, claimed, code=code, text=text, status=status)
    _log.error("delivery failed", delivery=claimed.delivery_id, error=code, status=status)


def _limits(peer: Peer) -> tuple[float, float]:
    return peer.retry_first_seconds, peer.retry_max_seconds


def _postpone(
    transaction: Transaction,
    peer: Peer,
    claimed: ClaimedDelivery,
    error: PacsAIError,
    pauses: int,
    *,
    status: int | None = None,
    refused: bool = False,
) -> None:
    deliveries.postpone(
        transaction,
        claimed,
        code=error.code,
        text=error.message,
        due_at=transaction.now + retry.pause(pauses, *_limits(peer)),
        refusals=claimed.refusals + refused,
        status=status,
    )
