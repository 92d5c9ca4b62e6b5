"""Count what is open: studies, jobs and deliveries that are not at their end, and since when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.waiting_jobs import OFF_PEAK

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


def _counted(state: Any, since: Any, states: Sequence[str], *name: Any) -> sa.Select[Any]:  # noqa: ANN401 - columns
    """Build a query once: that takes longer than to run it."""
    named = name or (sa.literal(""),)
    rows = sa.select(*named, state, sa.func.count(), sa.func.min(since))
    return rows.where(state.in_(states)).group_by(*name, state)


_STUDY, _JOB, _DELIVERY = (one.__table__.c for one in (Study, Job, Delivery))
_STUDIES = _counted(_STUDY.state, _STUDY.first_received_at, STUDIES)
_JOBS = _counted(_JOB.state, _JOB.created_at, JOBS, _JOB.model_name)
_TO_BEGIN = _JOB.state.in_((JobState.QUEUED, JobState.WAITING))
_JOBS_BY_HOURS = _counted(
    sa.case((sa.and_(_TO_BEGIN, _JOB.error_code == OFF_PEAK), OFF_PEAK), else_=_JOB.state),
    _JOB.created_at,
    (*JOBS, OFF_PEAK),
    _JOB.model_name,
).where(_JOB.state.in_(JOBS))  # follows from the other condition, and has an index
_DELIVERIES = _counted(_DELIVERY.state, _DELIVERY.created_at, DELIVERIES, _DELIVERY.destination)


def open_studies(session: Session) -> Sequence[Open]:
    """Count the studies that are being received, wait for routing, or are in CONFLICT."""
    return [Open(*row) for row in session.execute(_STUDIES)]


def open_jobs(session: Session) -> Sequence[Open]:
    """Count the jobs that are to be done, and those that have failed, by model."""
    return [Open(*row) for row in session.execute(_JOBS)]


def open_jobs_by_hours(session: Session) -> Sequence[Open]:
    """Count them; jobs that wait for off-peak hours have a state `OFF_PEAK` of their own.

    They keep it when these hours have come, until they begin: their age says nothing then.
    """
    return [Open(*row) for row in session.execute(_JOBS_BY_HOURS)]


def open_deliveries(session: Session) -> Sequence[Open]:
    """Count the deliveries that are to be made or committed, and failed ones, by destination."""
    return [Open(*row) for row in session.execute(_DELIVERIES)]
