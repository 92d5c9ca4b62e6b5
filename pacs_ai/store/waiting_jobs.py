"""Jobs that wait, and jobs that are queued: what a sweep finds and wakes."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobId, JobState, StudyState
from pacs_ai.store.due import is_due
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move

OFF_PEAK = "OFF_PEAK"
"""Error code of a job that waits for off-peak hours."""


def wake_due(transaction: Transaction, *, longest: timedelta) -> None:
    """Move WAITING → QUEUED for jobs whose pause, at most the longest of any job, is over."""
    _wake(transaction, is_due(Job.due_at, transaction.now, longest))


def wake_for(transaction: Transaction, code: str, model_name: str | None = None) -> list[JobId]:
    """Move WAITING → QUEUED for jobs, of one model or of all, whose reason to wait is over."""
    of_model = sa.true() if model_name is None else Job.model_name == model_name
    return _wake(transaction, sa.and_(Job.error_code == code, of_model))


def off_peak(session: Session) -> Sequence[Job]:
    """Return the jobs that wait for off-peak hours."""
    query = sa.select(Job).where(Job.state == JobState.WAITING, Job.error_code == OFF_PEAK)
    return session.scalars(query).all()


def wake(transaction: Transaction, job_id: str) -> bool:
    """Move WAITING → QUEUED."""
    return move(transaction, Job, job_id, (JobState.WAITING, JobState.QUEUED), due_at=None)


def _wake(transaction: Transaction, which: sa.ColumnElement[bool]) -> list[JobId]:
    query = sa.select(Job.id).where(Job.state == JobState.WAITING, which)
    return [
        JobId(job_id) for job_id in transaction.scalars(query).all() if wake(transaction, job_id)
    ]


def queued() -> sa.Select[str]:
    """Select the ids of QUEUED jobs, but for studies in CONFLICT and corrected patients."""
    return (
        sa.select(Job.id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Job.state == JobState.QUEUED,
            Study.state != StudyState.CONFLICT,
            Job.correction == Study.correction,
        )
    )
