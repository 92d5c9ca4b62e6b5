"""Results of earlier studies: which may be compared with, and with which one a job was compared."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobState, ResultKind, StudyId, StudyState
from pacs_ai.store.prior_tables import Comparison, Examination, PriorSearch, PriorStudy
from pacs_ai.store.schema import Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record

_NO_MORE = (StudyState.CONFLICT, StudyState.DELETED)
_TABLES = (Examination, PriorSearch, PriorStudy, Comparison)


@dataclass(frozen=True, slots=True)
class Examined:
    """When and of what the images of a study are, see `Examination`."""

    day: str
    time: str
    modality: str
    body_part_key: str
    laterality: str

    def differs(self, other: "Examined") -> str:
        """Say in what another examination is of another kind; "" if it is of the same."""
        if self.modality != other.modality:
            return "another modality"
        if self.body_part_key != other.body_part_key:
            return "another body part"
        return "another side" if self.laterality != other.laterality else ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier study that a model has analysed."""

    study: Study
    job: Job
    examined: Examined


def keep_examination(transaction: Transaction, job_id: str, examined: Examined) -> None:
    """Keep what a job has analysed, in place of what an earlier attempt has kept."""
    transaction.merge(Examination(job_id=job_id, **asdict(examined)))


def earlier_results(
    session: Session, study: Study, model_name: str, since: str, until: str
) -> list[Candidate]:
    """Return what a model has said of other studies with the same PatientID, the latest first.

    Of a study it is what holds now. That the patient is the same has still to be checked: an id
    alone does not tell.

    Parameters
    ----------
    since, until
        Study Dates: from the first one on, and before the second one.
    """
    withdrawn = sa.exists().where(Result.job_id == Job.id, Result.withdrawal_id.is_not(None))
    query = (
        sa.select(Study, Job, Examination)
        .join(Job, Job.study_id == Study.id)
        .join(Examination, Examination.job_id == Job.id)
        .where(
            Study.patient_key == study.patient_key,
            Study.id != study.id,
            Study.state.not_in(_NO_MORE),
            Job.model_name == model_name,
            Job.state == JobState.SUCCEEDED,
            Job.correction == Study.correction,
            Examination.day >= since,
            Examination.day < until,
            ~withdrawn,
        )
        .order_by(
            Examination.day.desc(),
            Examination.time.desc(),
            Study.id.desc(),
            Job.revision.desc(),
            Job.finished_at.desc(),
        )
    )
    return [Candidate(one, job, _examined(row)) for one, job, row in session.execute(query)]


def _examined(row: Examination) -> Examined:
    return Examined(row.day, row.time, row.modality, row.body_part_key, row.laterality)


def report_of(session: Session, job: Job) -> Result | None:
    """Return the report that a job made; None if it made none."""
    query = sa.select(Result).where(
        Result.job_id == job.id, Result.kind == ResultKind.REPORT, Result.sop_class_uid != ""
    )
    return session.scalar(query.limit(1))


def keep_comparison(
    transaction: Transaction,
    job: Job,
    prior_job_id: str,
    content: Mapping[str, Any],
    missing: str,
    note: str,
) -> None:
    """Keep what the results of a job are compared with; the audit trail of the study tells it."""
    transaction.merge(
        Comparison(job_id=job.id, prior_job_id=prior_job_id, content=dict(content), missing=missing)
    )
    state = "COMPARED" if content else "NOT_COMPARED"
    record(transaction, "prior", job.study_id, "", state, note=note)


def comparison_of(session: Session, job_id: str) -> Comparison | None:
    """Return what the results of a job were compared with; None if nobody asked for it."""
    return session.get(Comparison, job_id)


def forget(transaction: Transaction, study_id: StudyId) -> None:
    """Remove all that is known of the examinations of a study that a person deletes."""
    mine = sa.select(Job.id).where(Job.study_id == study_id)
    for table in _TABLES:
        transaction.execute(sa.delete(table).where(table.job_id.in_(mine)))


def forget_kinds(transaction: Transaction) -> None:
    """Forget of what all examinations were: keyed hashes of another secret compare with nothing."""
    transaction.execute(sa.delete(Examination))


def of_studies(session: Session, uids: Sequence[str]) -> dict[str, Study]:
    """Return the studies that are known here, by their UIDs."""
    query = sa.select(Study).where(Study.study_instance_uid.in_(uids))
    return {one.study_instance_uid: one for one in session.scalars(query)}
