"""Results: the rows that stand for the DICOM objects in the spool."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobId, ResultKind, StudyId
from pacs_ai.store.indexes import HAS_FILE
from pacs_ai.store.schema import Job, Result
from pacs_ai.store.session import Transaction

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One result object whose bytes already lie in the spool.

    ``fresh`` is False for one that an earlier revision wrote. ``bytes`` is 0 where not known.
    """

    kind: str
    number: int
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    path: str
    digest: str
    send_to: tuple[str, ...]
    fresh: bool
    bytes: int = 0


def find(session: Session, sop_instance_uid: str) -> Result | None:
    """Return the row of a result object, if it was made before."""
    return session.scalar(sa.select(Result).where(Result.sop_instance_uid == sop_instance_uid))


def kind_of(session: Session, sop_instance_uid: str) -> tuple[str, int]:
    """Return kind and number of a result."""
    row = session.scalars(
        sa.select(Result).where(Result.sop_instance_uid == sop_instance_uid)
    ).one()
    return row.kind, row.number


def of_kind(session: Session, job_id: JobId, kind: str) -> list[Result]:
    """Return the results of one kind that a job has made, in their order.

    One that came out the same in an earlier revision has the row of that time. So if the job has
    none, those of the newest earlier revision are returned that still hold.
    """
    query = sa.select(Result).where(Result.job_id == job_id, Result.kind == kind)
    made = list(session.scalars(query.order_by(Result.number)))
    job = session.get_one(Job, job_id)
    earlier = previous(session, job, ResultKind(kind)) if not made else None
    if earlier is None or earlier.withdrawal_id or earlier.correction != job.correction:
        return made
    return of_kind(session, JobId(earlier.job_id), kind)


def keep(transaction: Transaction, job_id: JobId, made: Sequence[StoredResult]) -> list[Result]:
    """Return the rows of results; an object made before keeps the one it has.

    One whose file was removed or lost since gets the file that was made now.
    """
    wanted = [one.sop_instance_uid for one in made]
    known = transaction.scalars(sa.select(Result).where(Result.sop_instance_uid.in_(wanted)))
    rows = {row.sop_instance_uid: row for row in known}
    correction = transaction.get_one(Job, job_id).correction
    for one in made:
        row = rows.get(one.sop_instance_uid)
        if row is None:
            rows[one.sop_instance_uid] = _row(job_id, correction, one)
        elif one.fresh:
            row.path, row.digest, row.bytes = one.path, one.digest, one.bytes
    transaction.add_all(rows.values())
    transaction.flush()
    return [rows[uid] for uid in wanted]


def insert(transaction: Transaction, job_id: JobId, correction: int, made: StoredResult) -> Result:
    """Give a result its row, under the correction of the patient that it was made for."""
    row = _row(job_id, correction, made)
    transaction.add(row)
    transaction.flush()
    return row


def _row(job_id: JobId, correction: int, made: StoredResult) -> Result:
    return Result(
        job_id=job_id,
        kind=made.kind,
        number=made.number,
        correction=correction,
        sop_class_uid=made.sop_class_uid,
        sop_instance_uid=made.sop_instance_uid,
        series_instance_uid=made.series_instance_uid,
        path=made.path,
        bytes=made.bytes,
        digest=made.digest,
    )


def forget_files(transaction: Transaction, study_id: StudyId) -> list[str]:
    """Clear the paths of a study's results and return them. The rows stay."""
    jobs = sa.select(Job.id).where(Job.study_id == study_id)
    rows = transaction.scalars(sa.select(Result).where(Result.job_id.in_(jobs), Result.path != ""))
    paths = []
    for row in rows:
        paths.append(row.path)
        row.path = ""
    return paths


def known_of(session: Session, paths: Sequence[str]) -> set[str]:
    """Return those of some paths that a result has."""
    known: set[str] = set()
    for begin in range(0, len(paths), _AT_ONCE):
        some = Result.path.in_(paths[begin : begin + _AT_ONCE])
        known.update(session.scalars(sa.select(Result.path).where(HAS_FILE, some)))
    return known


def paths(session: Session, last_path: str, most: int) -> Sequence[str]:
    """Return paths of results after one, in the order of the database.

    Parameters
    ----------
    last_path
        The last one that is known; "" for none.
    most
        How many at most.
    """
    query = sa.select(Result.path).where(HAS_FILE, Result.path > last_path)
    return session.scalars(query.order_by(Result.path).limit(most)).all()


def of_job(session: Session, job_id: JobId) -> Sequence[Result]:
    """Return the results whose rows a job made."""
    query = sa.select(Result).where(Result.job_id == job_id).order_by(Result.kind, Result.number)
    return session.scalars(query).all()


def previous(session: Session, job: Job, kind: ResultKind) -> Result | None:
    """Return the newest result of a kind of the same model on an earlier revision of the study."""
    query = (
        sa.select(Result)
        .join(Job, Job.id == Result.job_id)
        .where(
            Job.study_id == job.study_id,
            Job.revision < job.revision,
            Job.model_name == job.model_name,
            Result.kind == kind,
        )
        .order_by(Job.revision.desc())
        .limit(1)
    )
    return session.scalar(query)
