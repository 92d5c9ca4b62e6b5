"""When a study passed each stage; these queries change nothing."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState
from pacs_ai.errors import StateError
from pacs_ai.store.schema import Delivery, Event, Job, Study

_ENDED = (JobState.SUCCEEDED, JobState.REJECTED, JobState.FAILED, JobState.CANCELLED)
_LOST = (DeliveryState.FAILED, DeliveryState.CANCELLED)


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Dates and times (UTC) of a study with one job whose results were all stored.

    Parameters
    ----------
    received
        The row of its last instance was written.
    closed
        It counted as complete.
    started, finished
        The job was claimed; its results were entered.
    sending, stored
        The first delivery was claimed; the last one was stored.
    """

    received: datetime
    closed: datetime
    started: datetime
    finished: datetime
    sending: datetime
    stored: datetime


def stage_times(session: Session, study_instance_uid: str) -> StageTimes | None:
    """Return the times of a study; None while its job or a delivery is not at its end.

    Raises
    ------
    StateError
        If the job or a delivery came to a bad end.
    """
    query = sa.select(Study, Job).join(Job, Job.study_id == Study.id)
    row = session.execute(query.where(Study.study_instance_uid == study_instance_uid)).first()
    if row is None or row.Job.state not in _ENDED:
        return None
    study, job = row.Study, row.Job
    if job.state != JobState.SUCCEEDED:
        raise StateError(f"a study was not analysed: {job.state}, {job.error_code}")
    sent = session.scalars(sa.select(Delivery).where(Delivery.job_id == job.id)).all()
    if any(one.state in _LOST for one in sent):
        raise StateError("a result was not delivered")
    stored = [one.stored_at for one in sent if one.stored_at is not None]
    if not stored or len(stored) < len(sent):
        return None
    sending = sa.select(sa.func.min(Event.at)).where(
        Event.entity == "delivery",
        Event.entity_id.in_([str(one.id) for one in sent]),
        Event.to_state == DeliveryState.SENDING,
    )
    return StageTimes(
        study.last_received_at,
        study.closed_at,
        job.started_at,
        job.finished_at,
        session.scalar(sending) or max(stored),
        max(stored),
    )
