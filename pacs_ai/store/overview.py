"""Queries for what operators look at; they change nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState
from pacs_ai.logs import REF_LENGTH, study_ref
from pacs_ai.store.schema import Delivery, Event, Instance, Job, Result, Study
from pacs_ai.store.selection import Filter, conditions, of_model, of_studies

_ROW_ID = re.compile(r"[0-9]{1,18}")
"""A number that both databases accept as a row id."""

_AT_ONCE = 1000

DELIVERED = (DeliveryState.STORED, DeliveryState.COMMITTING, DeliveryState.COMMITTED)
"""States of a delivery whose peer has the result."""


@dataclass(frozen=True, slots=True)
class StudyLine:
    """A study and what became of it."""

    study: Study
    instances: int
    jobs: Sequence[Job]
    deliveries: Sequence[tuple[Delivery, Result]]


def studies(
    session: Session,
    wanted: Filter,
    *,
    patient_key: str | None = None,
    accession_key: str | None = None,
) -> list[StudyLine]:
    """Return studies; those whose images, of the newest revision, began to come last are first."""
    query = sa.select(Study).where(*of_studies(wanted))
    if patient_key:
        query = query.where(Study.patient_key == patient_key)
    if accession_key:
        query = query.where(Study.accession_key == accession_key)
    query = query.order_by(Study.first_received_at.desc(), Study.id.desc())
    rows = session.scalars(query.limit(wanted.limit).offset(wanted.offset))
    return [_line(session, study) for study in rows]


def study(session: Session, reference: str) -> StudyLine | None:
    """Return one study by its row id, its Study Instance UID, or its reference in logs."""
    row = session.scalar(sa.select(Study).where(Study.study_instance_uid == reference))
    if row is None and len(reference) == REF_LENGTH:
        row = _of_the_log(session, reference)
    if row is None and _ROW_ID.fullmatch(reference):
        row = session.get(Study, int(reference))
    return None if row is None else _line(session, row)


def _of_the_log(session: Session, reference: str) -> Study | None:
    """Look through the studies, the newest first: a reference is a keyed hash of the UID."""
    query = sa.select(Study.id, Study.study_instance_uid).order_by(Study.id.desc())
    rows = session.execute(query.limit(_AT_ONCE)).all()
    while rows:
        for key, uid in rows:
            if study_ref(uid) == reference:
                return session.get_one(Study, key)
        last = rows[-1][0]
        rows = session.execute(query.where(Study.id < last).limit(_AT_ONCE)).all()
    return None


def _line(session: Session, row: Study) -> StudyLine:
    count = sa.select(sa.func.count()).select_from(Instance).where(Instance.study_id == row.id)
    jobs = session.scalars(
        sa.select(Job).where(Job.study_id == row.id).order_by(Job.revision, Job.created_at)
    ).all()
    sent = session.execute(
        sa.select(Delivery, Result)
        .join(Result, Result.id == Delivery.result_id)
        .where(Delivery.job_id.in_([job.id for job in jobs]))
        .order_by(Delivery.id)
    ).all()
    return StudyLine(
        row, session.scalar(count) or 0, jobs, [(delivery, result) for delivery, result in sent]
    )


def left_out(session: Session, study_id: int) -> Sequence[Instance]:
    """Return the instances of a study that are not analysed or missing, in order of arrival."""
    query = sa.select(Instance).where(
        Instance.study_id == study_id,
        sa.or_(Instance.unusable_reason != "", Instance.missing.is_(True)),
    )
    return session.scalars(query.order_by(Instance.id)).all()


def current_jobs(line: StudyLine) -> list[Job]:
    """Return the jobs on the study's newest revision."""
    return [job for job in line.jobs if job.revision == line.study.revision]


def current_deliveries(line: StudyLine) -> list[tuple[Delivery, Result]]:
    """Return the deliveries of those jobs."""
    ids = {job.id for job in current_jobs(line)}
    return [pair for pair in line.deliveries if pair[0].job_id in ids]


def seconds_to_result(line: StudyLine) -> float | None:
    """Return the seconds from the last image to the last delivered result or finished job.

    None while work on the newest revision is left, or has failed, and where an image came after the
    end: one that puts the study into CONFLICT begins no revision.
    """
    done = current_jobs(line)
    sent = current_deliveries(line)
    if any(job.state != JobState.SUCCEEDED for job in done):
        return None
    if any(delivery.state not in DELIVERED for delivery, _ in sent):
        return None
    ends = [delivery.stored_at for delivery, _ in sent] or [job.finished_at for job in done]
    known = [end for end in ends if end is not None]
    if not known or max(known) < line.study.last_received_at:
        return None
    return round((max(known) - line.study.last_received_at).total_seconds(), 2)


def jobs(session: Session, wanted: Filter) -> Sequence[tuple[Job, Study]]:
    """Return jobs with their studies, newest first."""
    query = sa.select(Job, Study).join(Study, Study.id == Job.study_id)
    query = query.where(*conditions(wanted, Job.state, Job.created_at))
    if wanted.model:
        query = query.where(of_model(wanted.model))
    if wanted.peer:
        query = query.where(
            sa.exists().where(Delivery.job_id == Job.id, Delivery.destination == wanted.peer)
        )
    query = query.order_by(Job.created_at.desc(), Job.id).limit(wanted.limit).offset(wanted.offset)
    return [(job, row) for job, row in session.execute(query).all()]


def events(session: Session, entity: str, key: int | str) -> Sequence[Event]:
    """Return the audit trail of one row, oldest first."""
    query = (sa.select(Event).where(Event.entity == entity, Event.entity_id == str(key))).order_by(
        Event.id
    )
    return session.scalars(query).all()


def last_events(session: Session, limit: int) -> Sequence[Event]:
    """Return the newest lines of the audit trail, the last one first."""
    return session.scalars(sa.select(Event).order_by(Event.id.desc()).limit(limit)).all()
