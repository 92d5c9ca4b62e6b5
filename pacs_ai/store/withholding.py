"""What is not wanted any more: of a study in CONFLICT, of a corrected patient, of old revisions."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryId, DeliveryState, JobState, StudyId, StudyState
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE, RULES, move

MAY_LEAVE = (Study.state != StudyState.CONFLICT, Result.correction == Study.correction)
"""Conditions on a delivery's study and result; never on its own state, which others change."""


def may_leave(session: Session, delivery_id: DeliveryId, attempt: int) -> bool:
    """Tell whether a delivery that is being sent is still ours, and still wanted."""
    query = (
        sa.select(Delivery.id)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Delivery.id == delivery_id,
            Delivery.state == DeliveryState.SENDING,
            Delivery.attempt == attempt,
            *MAY_LEAVE,
        )
    )
    return session.scalar(query) is not None


def hold(transaction: Transaction, delivery_id: DeliveryId, attempt: int) -> bool:
    """Move SENDING → PENDING: its study came into CONFLICT before it had left."""
    return move(
        transaction,
        Delivery,
        delivery_id,
        (DeliveryState.SENDING, DeliveryState.PENDING),
        fence={"attempt": attempt},
        note="held: whose study it is, is not settled",
        **NO_LEASE,
    )


def not_taken(transaction: Transaction, delivery_id: DeliveryId, attempt: int, text: str) -> bool:
    """Move SENDING → CANCELLED: the peer does not take such objects, and need not."""
    return move(
        transaction,
        Delivery,
        delivery_id,
        (DeliveryState.SENDING, DeliveryState.CANCELLED),
        fence={"attempt": attempt},
        note=text,
        error_text=text,
        **NO_LEASE,
    )


def cancel_void(transaction: Transaction) -> None:
    """Move PENDING/WAITING/FAILED → CANCELLED for what names a patient who was corrected since."""
    states = (DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.FAILED)
    query = (
        sa.select(Delivery)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state.in_(states), Result.correction < Study.correction)
    )
    for delivery in transaction.scalars(query).all():
        arrow = (DeliveryState(delivery.state), DeliveryState.CANCELLED)
        text = "the patient was corrected: another result takes its place"
        move(transaction, Delivery, delivery.id, arrow, note=text)


_UNDER_WAY = (JobState.QUEUED, JobState.WAITING, JobState.RUNNING)


def void_jobs(
    transaction: Transaction,
    study_id: StudyId,
    why: str,
    *,
    states: Sequence[JobState] = _UNDER_WAY,
) -> None:
    """Move QUEUED/WAITING/RUNNING/FAILED → CANCELLED for the jobs of a study in these states.

    Whoever is at one finds that its lease is lost, and drops what it made.
    """
    query = sa.select(Job).where(Job.study_id == study_id, Job.state.in_(states))
    with transaction.by(RULES):
        for job in transaction.scalars(query).all():
            arrow = (JobState(job.state), JobState.CANCELLED)
            move(transaction, Job, job.id, arrow, note=why, finished_at=transaction.now, **NO_LEASE)


def cancel_older(transaction: Transaction, study_id: StudyId, revision: int) -> None:
    """Move QUEUED/WAITING → CANCELLED for jobs of revisions that a newer one replaces."""
    query = sa.select(Job).where(
        Job.study_id == study_id,
        Job.revision < revision,
        Job.state.in_((JobState.QUEUED, JobState.WAITING)),
    )
    for job in transaction.scalars(query).all():
        move(
            transaction,
            Job,
            job.id,
            (JobState(job.state), JobState.CANCELLED),
            note=f"replaced by revision {revision}",
            finished_at=transaction.now,
        )
