"""Deliveries: one function for each transition of their state machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryId, DeliveryState, JobId
from pacs_ai.store.due import is_due
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE, move
from pacs_ai.store.withholding import MAY_LEAVE


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """One claimed delivery and the stored object it carries."""

    delivery_id: DeliveryId
    attempt: int
    earlier_attempts: int
    refusals: int
    path: str
    sop_class_uid: str
    sop_instance_uid: str
    created_at: datetime
    bytes: int
    digest: str
    postponed: int
    postponed_for: str
    may_be_held: bool
    kind: str

    def pauses(self, code: str) -> int:
        """Return how often in a row it was postponed for a reason."""
        return self.postponed if self.postponed_for == code else 0


def claim(
    transaction: Transaction, job_id: JobId, destination: str, *, lease_seconds: float
) -> list[ClaimedDelivery]:
    """Move PENDING → SENDING for all that a job has for a destination.

    While the study is in CONFLICT only notices of withdrawals, and never what was made under a
    patient who was corrected.
    """
    query = (
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Delivery.job_id == job_id,
            Delivery.destination == destination,
            Delivery.state == DeliveryState.PENDING,
            *MAY_LEAVE,
        )
        .order_by(Delivery.id)
    )
    batch = []
    for delivery, result in transaction.execute(query).all():
        attempt, may_be_held = delivery.attempt + 1, delivery.may_be_held
        moved = move(
            transaction,
            Delivery,
            delivery.id,
            (DeliveryState.PENDING, DeliveryState.SENDING),
            fence={"attempt": delivery.attempt},
            attempt=attempt,
            may_be_held=True,
            lease_owner=transaction.actor,
            lease_until=transaction.now + timedelta(seconds=lease_seconds),
        )
        if moved:
            batch.append(
                ClaimedDelivery(
                    DeliveryId(delivery.id),
                    attempt,
                    delivery.earlier_attempts,
                    delivery.refusals,
                    result.path,
                    result.sop_class_uid,
                    result.sop_instance_uid,
                    delivery.created_at,
                    result.bytes,
                    result.digest,
                    delivery.postponed,
                    delivery.postponed_for,
                    may_be_held,
                    result.kind,
                )
            )
    return batch


def stored(
    transaction: Transaction, claimed: ClaimedDelivery, *, status: int | None, note: str
) -> bool:
    """Move SENDING → STORED: the destination has it, perhaps with a remark."""
    return _end_attempt(
        transaction,
        claimed,
        DeliveryState.STORED,
        note=note,
        status_code=status,
        stored_at=transaction.now,
        due_at=None,
        error_code="",
        error_text=note,
    )


def postpone(
    transaction: Transaction,
    claimed: ClaimedDelivery,
    *,
    code: str,
    text: str,
    due_at: datetime,
    refusals: int,
    status: int | None = None,
) -> bool:
    """Move SENDING → WAITING: to be tried again at `due_at`."""
    return _end_attempt(
        transaction,
        claimed,
        DeliveryState.WAITING,
        note=text,
        due_at=due_at,
        refusals=refusals,
        postponed=claimed.pauses(code) + 1,
        postponed_for=code,
        **_failure(claimed, code, text, status),
    )


def fail(
    transaction: Transaction,
    claimed: ClaimedDelivery,
    *,
    code: str,
    text: str,
    status: int | None = None,
) -> bool:
    """Move SENDING → FAILED: a person has to look at it."""
    return _end_attempt(
        transaction,
        claimed,
        DeliveryState.FAILED,
        note=text,
        **_failure(claimed, code, text, status),
    )


def exchange(transaction: Transaction, claimed: ClaimedDelivery, result: Result) -> bool:
    """Move SENDING → PENDING with another result: one that the peer may take.

    ``in_place_of`` names the first one.
    """
    return _end_attempt(
        transaction,
        claimed,
        DeliveryState.PENDING,
        note=f"the peer refuses this class; {result.kind} in its place",
        result_id=result.id,
        may_be_held=False,
        in_place_of=sa.case((Delivery.in_place_of == "", claimed.kind), else_=Delivery.in_place_of),
    )


def hold(transaction: Transaction, claimed: ClaimedDelivery) -> bool:
    """Move SENDING → PENDING: its study came into CONFLICT before the result left."""
    note = "held: whose study it is, is not settled"
    return _end_attempt(transaction, claimed, DeliveryState.PENDING, note=note)


def not_taken(transaction: Transaction, claimed: ClaimedDelivery, text: str) -> bool:
    """Move SENDING → CANCELLED: the peer does not accept such objects, and need not."""
    return _end_attempt(transaction, claimed, DeliveryState.CANCELLED, note=text, error_text=text)


def _failure(
    claimed: ClaimedDelivery, code: str, text: str, status: int | None
) -> dict[str, object]:
    """Return the columns that say why an attempt has failed."""
    return {
        "status_code": status,
        "may_be_held": claimed.may_be_held,
        "error_code": code,
        "error_text": text,
    }


def _end_attempt(
    transaction: Transaction,
    claimed: ClaimedDelivery,
    target: DeliveryState,
    *,
    note: str,
    **values: object,
) -> bool:
    """Move SENDING → another state, if the claimed attempt is still the last one."""
    return move(
        transaction,
        Delivery,
        claimed.delivery_id,
        (DeliveryState.SENDING, target),
        fence={"attempt": claimed.attempt},
        note=note,
        **values,
        **NO_LEASE,
    )


def release_due(
    transaction: Transaction,
    destination: str | None = None,
    codes: Sequence[str] = (),
    *,
    longest: timedelta,
    only_one: bool = False,
) -> list[tuple[JobId, str]]:
    """Move WAITING → PENDING for what is due, or for what waits for one destination.

    Parameters
    ----------
    codes
        Errors that were the reason to wait for this destination.
    longest
        The longest pause of any delivery.
    only_one
        Only what one job has for the destination.

    Returns
    -------
    list of (job id, destination)
        What there is to send, each pair once.
    """
    query = sa.select(Delivery).where(Delivery.state == DeliveryState.WAITING)
    if destination is None:
        query = query.where(is_due(Delivery.due_at, transaction.now, longest))
    else:
        query = query.where(Delivery.destination == destination, Delivery.error_code.in_(codes))
    woken: dict[tuple[JobId, str], None] = {}
    waiting = transaction.scalars(query.order_by(Delivery.id)).all()
    if only_one:
        waiting = [one for one in waiting if one.job_id == waiting[0].job_id]
    for delivery in waiting:
        arrow = (DeliveryState.WAITING, DeliveryState.PENDING)
        if move(transaction, Delivery, delivery.id, arrow):
            woken[JobId(delivery.job_id), delivery.destination] = None
    return list(woken)


def waiting_destinations(session: Session, error_codes: Sequence[str]) -> list[str]:
    """Return the destinations that deliveries wait for because of one of these errors."""
    query = (
        sa.select(Delivery.destination)
        .where(Delivery.state == DeliveryState.WAITING, Delivery.error_code.in_(error_codes))
        .distinct()
    )
    return list(session.scalars(query))


def renew(transaction: Transaction, batch: Sequence[ClaimedDelivery], lease_seconds: float) -> None:
    """Keep the leases of deliveries that are being sent."""
    transaction.execute(
        sa.update(Delivery)
        .where(
            Delivery.id.in_([claimed.delivery_id for claimed in batch]),
            Delivery.state == DeliveryState.SENDING,
        )
        .values(lease_until=transaction.now + timedelta(seconds=lease_seconds))
    )


def pending(joint: str) -> sa.Select[str]:
    """Select the deliveries that can be sent now: job and destination, with a text in between."""
    return (
        sa.select((Delivery.job_id + joint + Delivery.destination).label("pair"))
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state == DeliveryState.PENDING, *MAY_LEAVE)
        .distinct()
    )
