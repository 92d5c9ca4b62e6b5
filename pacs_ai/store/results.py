"""Results: the rows that stand for the DICOM objects in the spool."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobId, ResultKind
from pacs_ai.store.schema import Job, Result


@dataclass(frozen=True, slots=True)
class Made:
    """One result object whose bytes already lie in the spool.

    ``fresh`` is False for one that an earlier revision wrote.
    """

    kind: str
    number: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    path: str
    sha256: str
    send_to: tuple[str, ...]
    fresh: bool


def find(session: Session, sop_instance_uid: str) -> Result | None:
    """Return the row of a result object, if it was made before."""
    return session.scalar(sa.select(Result).where(Result.sop_instance_uid == sop_instance_uid))


def keep(session: Session, job_id: JobId, made: Made) -> int:
    """Return the id of a result's row; an object made before keeps the one it has."""
    row = find(session, made.sop_instance_uid)
    if row is None:
        row = Result(
            job_id=job_id,
            kind=made.kind,
            number=made.number,
            sop_class_uid=made.sop_class_uid,
            sop_instance_uid=made.sop_instance_uid,
            series_instance_uid=made.series_instance_uid,
            path=made.path,
            sha256=made.sha256,
        )
        session.add(row)
        session.flush()
    return row.id


def of_job(session: Session, job_id: JobId) -> Sequence[Result]:
    """Return the results whose rows a job made."""
    query = sa.select(Result).where(Result.job_id == job_id).order_by(Result.kind, Result.number)
    return session.scalars(query).all()


def previous_report(session: Session, job: Job) -> Result | None:
    """Return the newest report of the same model on an earlier revision of the study."""
    query = (
        sa.select(Result)
        .join(Job, Job.id == Result.job_id)
        .where(
            Job.study_id == job.study_id,
            Job.revision < job.revision,
            Job.model_name == job.model_name,
            Result.kind == ResultKind.REPORT,
        )
        .order_by(Job.revision.desc())
        .limit(1)
    )
    return session.scalar(query)
