"""Count what is open: studies, jobs and deliveries that are not at their end, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.store.schema import Delivery, Job, Study

STUDIES = (StudyState.RECEIVING, StudyState.COMPLETE, StudyState.CONFLICT)
JOBS = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING, JobState.FAILED)
DELIVERIES = (
    DeliveryState.PENDING,
    DeliveryState.SENDING,
    DeliveryState.WAITING,
    DeliveryState.COMMITTING,
    DeliveryState.FAILED,
)


@dataclass(frozen=True, slots=True)
class Open:
    """How many rows are in a state, and since when the oldest of them exists.

    ``name`` is the model of jobs, the destination of deliveries, "" for studies.
    """

    name: str
    state: str
    count: int
    oldest: datetime


def open_studies(session: Session) -> Sequence[Open]:
    """Count the studies that are being received, wait for routing, or are in CONFLICT."""
    rows = sa.select(
        sa.literal(""), Study.state, sa.func.count(), sa.func.min(Study.first_received_at)
    )
    query = rows.where(Study.state.in_(STUDIES)).group_by(Study.state)
    return [Open(*row) for row in session.execute(query)]


def open_jobs(session: Session) -> Sequence[Open]:
    """Count the jobs that are to be done, and those that have failed, by model."""
    rows = sa.select(Job.model_name, Job.state, sa.func.count(), sa.func.min(Job.created_at))
    query = rows.where(Job.state.in_(JOBS)).group_by(Job.model_name, Job.state)
    return [Open(*row) for row in session.execute(query)]


def open_deliveries(session: Session) -> Sequence[Open]:
    """Count the deliveries that are to be made or committed, and failed ones, by destination."""
    rows = sa.select(
        Delivery.destination, Delivery.state, sa.func.count(), sa.func.min(Delivery.created_at)
    )
    query = rows.where(Delivery.state.in_(DELIVERIES))
    query = query.group_by(Delivery.destination, Delivery.state)
    return [Open(*row) for row in session.execute(query)]
