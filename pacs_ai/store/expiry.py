"""Remove studies in CONFLICT that nobody has resolved in time."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, StudyId, StudyState
from pacs_ai.store import instances, results
from pacs_ai.store.schema import Delivery, Event, Job, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move

NOTE = "not resolved in time"

_JOBS = (JobState.QUEUED, JobState.WAITING)
_DELIVERIES = (DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.FAILED)
_JOBS_UNDER_WAY = (JobState.RUNNING,)
_DELIVERIES_UNDER_WAY = (DeliveryState.SENDING, DeliveryState.COMMITTING)


def conflicts(session: Session) -> Sequence[tuple[Study, datetime]]:
    """Return the studies in CONFLICT, and since when each is."""
    held = (
        sa.select(sa.func.max(Event.id))
        .where(
            Event.entity == Study.__tablename__,
            Event.entity_id == sa.cast(Study.id, sa.String),
            Event.to_state == StudyState.CONFLICT,
        )
        .correlate(Study)
        .scalar_subquery()
    )
    query = (
        sa.select(Study, sa.func.coalesce(Event.at, Study.last_received_at))
        .outerjoin(Event, Event.id == held)
        .where(Study.state == StudyState.CONFLICT)
    )
    return [(study, since) for study, since in session.execute(query)]


def expire(transaction: Transaction, study: Study) -> list[str] | None:
    """Move CONFLICT → PURGED: cancel what waits, drop the instance rows.

    Returns
    -------
    list of str or None
        The paths of all files, for the caller to remove. None if the study moved meanwhile, or
        something of it is under way.
    """
    jobs = transaction.scalars(sa.select(Job).where(Job.study_id == study.id)).all()
    deliveries = transaction.scalars(
        sa.select(Delivery).join(Job, Job.id == Delivery.job_id).where(Job.study_id == study.id)
    ).all()
    if any(job.state in _JOBS_UNDER_WAY for job in jobs) or any(
        delivery.state in _DELIVERIES_UNDER_WAY for delivery in deliveries
    ):
        return None
    arrow = (StudyState.CONFLICT, StudyState.PURGED)
    fence = {"revision": study.revision}
    if not move(transaction, Study, study.id, arrow, fence=fence, note=NOTE):
        return None
    for job in jobs:
        if job.state in _JOBS:
            ended = (JobState(job.state), JobState.CANCELLED)
            move(transaction, Job, job.id, ended, note=NOTE, finished_at=transaction.now)
    for delivery in deliveries:
        if delivery.state in _DELIVERIES:
            given_up = (DeliveryState(delivery.state), DeliveryState.CANCELLED)
            move(transaction, Delivery, delivery.id, given_up, note=NOTE)
    paths = instances.remove(transaction, StudyId(study.id))
    return paths + results.forget_files(transaction, StudyId(study.id))
