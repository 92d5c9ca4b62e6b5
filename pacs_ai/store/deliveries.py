"""Deliveries: one function an arrow of the delivery's state machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryId, DeliveryState, JobId
from pacs_ai.store import results
from pacs_ai.store.due import is_due
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.transition import NO_LEASE, move
from pacs_ai.store.withholding import MAY_LEAVE


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """One claimed delivery and the stored object it carries."""

    delivery_id: DeliveryId
    attempt: int
    refusals: int
    path: str
    sop_class_uid: str
    sop_instance_uid: str
    created_at: datetime
    bytes: int
    sha256: str
    postponed: int
    postponed_for: str
    may_be_held: bool
    kind: str

    def pauses(self, code: str) -> int:
        """Return how often in a row it was postponed for a reason, until now."""
        return self.postponed if self.postponed_for == code else 0


def claim(
    session: Session,
    job_id: JobId,
    destination: str,
    *,
    owner: str,
    lease_seconds: float,
    now: datetime,
) -> list[ClaimedDelivery]:
    """Move PENDING → SENDING for all that a job has for a destination.

    None while the study is in CONFLICT, and never what was made under a patient who was corrected.
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
    for delivery, result in session.execute(query).all():
        attempt, may_be_held = delivery.attempt + 1, delivery.may_be_held
        moved = move(
            session,
            Delivery,
            delivery.id,
            (DeliveryState.PENDING, DeliveryState.SENDING),
            now=now,
            actor=owner,
            fence={"attempt": delivery.attempt},
            attempt=attempt,
            may_be_held=True,
            lease_owner=owner,
            lease_until=now + timedelta(seconds=lease_seconds),
        )
        if moved:
            batch.append(
                ClaimedDelivery(
                    DeliveryId(delivery.id),
                    attempt,
                    delivery.refusals,
                    result.path,
                    result.sop_class_uid,
                    result.sop_instance_uid,
                    delivery.created_at,
                    result.bytes,
                    result.sha256,
                    delivery.postponed,
                    delivery.postponed_for,
                    may_be_held,
                    result.kind,
                )
            )
    return batch


def stored(
    session: Session, claimed: ClaimedDelivery, *, status: int, note: str, now: datetime, actor: str
) -> bool:
    """Move SENDING → STORED: the peer has it, perhaps with a warning status (0xBxxx)."""
    return move(
        session,
        Delivery,
        claimed.delivery_id,
        (DeliveryState.SENDING, DeliveryState.STORED),
        now=now,
        actor=actor,
        fence={"attempt": claimed.attempt},
        note=note,
        status_code=status,
        stored_at=now,
        due_at=None,
        error_code="",
        error_text=note,
        **NO_LEASE,
    )


def postpone(
    session: Session,
    claimed: ClaimedDelivery,
    *,
    code: str,
    text: str,
    due_at: datetime,
    refusals: int,
    now: datetime,
    actor: str,
    status: int | None = None,
) -> bool:
    """Move SENDING → WAITING: to be tried again at `due_at`."""
    return move(
        session,
        Delivery,
        claimed.delivery_id,
        (DeliveryState.SENDING, DeliveryState.WAITING),
        now=now,
        actor=actor,
        fence={"attempt": claimed.attempt},
        note=text,
        due_at=due_at,
        refusals=refusals,
        postponed=claimed.pauses(code) + 1,
        postponed_for=code,
        status_code=status,
        may_be_held=claimed.may_be_held,
        error_code=code,
        error_text=text,
        **NO_LEASE,
    )


def fail(
    session: Session,
    claimed: ClaimedDelivery,
    *,
    code: str,
    text: str,
    now: datetime,
    actor: str,
    status: int | None = None,
) -> bool:
    """Move SENDING → FAILED: a person has to look at it."""
    return move(
        session,
        Delivery,
        claimed.delivery_id,
        (DeliveryState.SENDING, DeliveryState.FAILED),
        now=now,
        actor=actor,
        fence={"attempt": claimed.attempt},
        note=text,
        status_code=status,
        may_be_held=claimed.may_be_held,
        error_code=code,
        error_text=text,
        **NO_LEASE,
    )


def exchange(
    session: Session, claimed: ClaimedDelivery, made: StoredResult, *, now: datetime, actor: str
) -> bool:
    """Move SENDING → PENDING with another result: one that the peer may take."""
    job_id = session.get_one(Delivery, claimed.delivery_id).job_id
    return move(
        session,
        Delivery,
        claimed.delivery_id,
        (DeliveryState.SENDING, DeliveryState.PENDING),
        now=now,
        actor=actor,
        fence={"attempt": claimed.attempt},
        note=f"the peer refuses this class; {made.kind} in its place",
        result_id=results.keep(session, JobId(job_id), made),
        may_be_held=False,
        **NO_LEASE,
    )


def release_due(
    session: Session,
    now: datetime,
    destination: str | None = None,
    codes: Sequence[str] = (),
    *,
    longest: timedelta,
    actor: str,
) -> list[tuple[JobId, str]]:
    """Move WAITING → PENDING for what is due, or for what waits for one destination.

    Parameters
    ----------
    codes
        Errors that were the reason to wait for this destination.
    longest
        The longest pause of any delivery.

    Returns
    -------
    list of (job id, destination)
        What there is to send, each pair once.
    """
    query = sa.select(Delivery).where(Delivery.state == DeliveryState.WAITING)
    if destination is None:
        query = query.where(is_due(Delivery.due_at, now, longest))
    else:
        query = query.where(Delivery.destination == destination, Delivery.error_code.in_(codes))
    woken: dict[tuple[JobId, str], None] = {}
    for delivery in session.scalars(query).all():
        arrow = (DeliveryState.WAITING, DeliveryState.PENDING)
        if move(session, Delivery, delivery.id, arrow, now=now, actor=actor):
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


def renew(
    session: Session, batch: Sequence[ClaimedDelivery], lease_seconds: float, now: datetime
) -> None:
    """Keep the leases of deliveries that are being sent."""
    session.execute(
        sa.update(Delivery)
        .where(
            Delivery.id.in_([claimed.delivery_id for claimed in batch]),
            Delivery.state == DeliveryState.SENDING,
        )
        .values(lease_until=now + timedelta(seconds=lease_seconds))
    )


def pending(session: Session) -> list[tuple[JobId, str]]:
    """Return what is ready to be sent and may be, each pair once."""
    query = (
        sa.select(Delivery.job_id, Delivery.destination)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state == DeliveryState.PENDING, *MAY_LEAVE)
        .distinct()
    )
    return [(JobId(job_id), destination) for job_id, destination in session.execute(query)]
