"""What is not wanted any more: of a study in CONFLICT, of a corrected patient, of old revisions."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryId, DeliveryState, JobState, StudyId, StudyState
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.transition import NO_LEASE, move

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


def hold(
    session: Session, delivery_id: DeliveryId, attempt: int, *, now: datetime, actor: str
) -> bool:
    """Move SENDING → PENDING: its study came into CONFLICT before it had left."""
    return move(
        session,
        Delivery,
        delivery_id,
        (DeliveryState.SENDING, DeliveryState.PENDING),
        now=now,
        actor=actor,
        fence={"attempt": attempt},
        note="held: whose study it is, is not settled",
        **NO_LEASE,
    )


def not_taken(
    session: Session, delivery_id: DeliveryId, attempt: int, text: str, *, now: datetime, actor: str
) -> bool:
    """Move SENDING → CANCELLED: the peer does not take such objects, and need not."""
    return move(
        session,
        Delivery,
        delivery_id,
        (DeliveryState.SENDING, DeliveryState.CANCELLED),
        now=now,
        actor=actor,
        fence={"attempt": attempt},
        note=text,
        error_text=text,
        **NO_LEASE,
    )


def cancel_void(session: Session, *, now: datetime, actor: str) -> None:
    """Move PENDING/WAITING/FAILED → CANCELLED for what names a patient who was corrected since."""
    states = (DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.FAILED)
    query = (
        sa.select(Delivery)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state.in_(states), Result.correction < Study.correction)
    )
    for delivery in session.scalars(query).all():
        arrow = (DeliveryState(delivery.state), DeliveryState.CANCELLED)
        text = "the patient was corrected: another result takes its place"
        move(session, Delivery, delivery.id, arrow, now=now, actor=actor, note=text)


_UNDER_WAY = (JobState.QUEUED, JobState.WAITING, JobState.RUNNING)


def void_jobs(
    session: Session,
    study_id: StudyId,
    why: str,
    *,
    now: datetime,
    states: Sequence[JobState] = _UNDER_WAY,
) -> None:
    """Move QUEUED/WAITING/RUNNING/FAILED → CANCELLED for the jobs of a study in these states.

    Whoever is at one finds that its lease is lost, and drops what it made.
    """
    query = sa.select(Job).where(Job.study_id == study_id, Job.state.in_(states))
    for job in session.scalars(query).all():
        move(
            session,
            Job,
            job.id,
            (JobState(job.state), JobState.CANCELLED),
            now=now,
            actor="rules",
            note=why,
            finished_at=now,
            lease_owner=None,
            lease_until=None,
        )


def cancel_older(
    session: Session, study_id: StudyId, revision: int, *, now: datetime, actor: str
) -> None:
    """Move QUEUED/WAITING → CANCELLED for jobs of revisions that a newer one replaces."""
    query = sa.select(Job).where(
        Job.study_id == study_id,
        Job.revision < revision,
        Job.state.in_((JobState.QUEUED, JobState.WAITING)),
    )
    for job in session.scalars(query).all():
        move(
            session,
            Job,
            job.id,
            (JobState(job.state), JobState.CANCELLED),
            now=now,
            actor=actor,
            note=f"replaced by revision {revision}",
            finished_at=now,
        )
