"""What can be looked at of a study: its images, and the results that show or say something."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import ResultKind
from pacs_ai.store.schema import Instance, Job, Result, Study
from pacs_ai.store.withholding import VOID

_SHOWN = (ResultKind.REPORT, ResultKind.MAP, ResultKind.CAPTURE, ResultKind.STACK)


def stored_instances(session: Session, study_id: int, limit: int) -> Sequence[Instance]:
    """Return the instances of a study whose files are there, in order of arrival."""
    query = sa.select(Instance).where(
        Instance.study_id == study_id, Instance.missing.is_(False), Instance.path != ""
    )
    return session.scalars(query.order_by(Instance.id).limit(limit)).all()


def stored_instance(session: Session, study_id: int, number: int) -> Instance | None:
    """Return an instance of a study whose file is there."""
    query = sa.select(Instance).where(
        Instance.id == number, Instance.study_id == study_id, Instance.missing.is_(False)
    )
    return session.scalar(query)


def shown_results(session: Session, study_id: int) -> list[tuple[Result, Job]]:
    """Return reports, maps and captures of a study with the jobs that made them, the newest first.

    Those that do not hold any more are left out, and of each model those of another version than
    the newest.
    """
    query = (
        sa.select(Result, Job)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Job.study_id == study_id,
            Result.path != "",
            ~VOID,
            Result.kind.in_(_SHOWN),
        )
        .order_by(Job.revision.desc(), Job.created_at.desc(), Result.number)
    )
    newest: dict[str, str] = {}
    found = []
    for result, job in session.execute(query):
        if newest.setdefault(job.model_name, job.model_version) == job.model_version:
            found.append((result, job))
    return found
