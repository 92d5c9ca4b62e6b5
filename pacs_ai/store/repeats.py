"""The ways an instance came: from whom, and under which of our names; the first and all others."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobState, StudyId
from pacs_ai.store.active_models import Stamp
from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Instance, Job, Repeat, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import RULES, record

Way = tuple[str, str, str]
"""Calling and called AE title, and the network address, "" if it is not known. Two arrivals with
the same titles are one way: its address is that of the first."""

_LOOKED = (JobState.RUNNING, JobState.SUCCEEDED, JobState.REJECTED)


def ways(session: Session, instance: Instance) -> list[Way]:
    """Return the ways an instance came, the first arrival first."""
    query = sa.select(Repeat).where(Repeat.instance_id == instance.id).order_by(Repeat.id)
    return [_way(instance), *(_way(row) for row in session.scalars(query))]


def _way(row: Instance | Repeat) -> Way:
    return (row.calling_aet, row.called_aet, row.address)


def ways_of_study(session: Session, study_id: StudyId) -> dict[int, list[Way]]:
    """Return the same for each instance of a study, by row id."""
    mine = sa.select(Instance).where(Instance.study_id == study_id)
    found = {row.id: [_way(row)] for row in session.scalars(mine)}
    for row in session.scalars(_of_study(study_id).order_by(Repeat.id)):
        found[row.instance_id].append(_way(row))
    return found


def note(transaction: Transaction, instance: Instance, sender: Sender) -> bool:
    """Note that an instance came again; False if it came by this way before."""
    way = (sender.calling_aet, sender.called_aet)
    if way in {one[:2] for one in ways(transaction, instance)}:
        return False
    transaction.add(
        Repeat(
            instance_id=instance.id,
            calling_aet=way[0],
            called_aet=way[1],
            address=sender.address,
            received_at=transaction.now,
        )
    )
    transaction.flush()
    return True


def carry_over(
    transaction: Transaction,
    study: Study,
    rules: Sequence[str],
    model_name: str,
    model: Stamp,
) -> bool:
    """Let a job of an earlier revision be this revision's, if it would do nothing new.

    So it is where instances only came again by another way: the same ones were looked at by the
    same model, for all rules that ask now. A job whose results were withdrawn stands for nothing.

    Returns
    -------
    bool
        Whether there is such a job; no other is needed then.
    """
    came_again = _of_study(StudyId(study.id)).where(Repeat.received_at >= study.first_received_at)
    job = transaction.scalar(
        sa.select(Job)
        .where(
            Job.study_id == study.id,
            Job.revision < study.revision,
            Job.correction == study.correction,
            Job.model_name == model_name,
            Job.model_version == model.version,
            Job.bundle_sha256 == model.sha256,
            Job.state.in_(_LOOKED),
            ~sa.exists().where(Result.job_id == Job.id, Result.withdrawal_id.is_not(None)),
        )
        .order_by(Job.revision.desc())
        .limit(1)
    )
    if job is None or not set(rules) <= set(job.rules):
        return False
    if transaction.scalar(came_again.limit(1)) is None or _has_newer(transaction, job):
        return False
    job.revision = study.revision
    transaction.flush()
    text = f"stands for revision {study.revision}: its instances only came again"
    with transaction.by(RULES):
        record(transaction, "job", job.id, job.state, job.state, note=text)
    return True


def _of_study(study_id: StudyId) -> sa.Select[Repeat]:
    return (
        sa.select(Repeat)
        .join(Instance, Instance.id == Repeat.instance_id)
        .where(Instance.study_id == study_id)
    )


def _has_newer(session: Session, job: Job) -> bool:
    query = sa.select(Instance.id).where(
        Instance.study_id == job.study_id,
        Instance.revision > job.revision,
        Instance.unusable_reason == "",
    )
    return session.scalar(query.limit(1)) is not None


@dataclass(frozen=True, slots=True)
class SenderLine:
    """One way by which a study came, and how many of its instances did."""

    calling_aet: str
    called_aet: str
    instances: int
    first_received_at: datetime
    last_received_at: datetime


def senders(session: Session, study_id: int) -> list[SenderLine]:
    """Return all ways by which a study came, in the order of their first instance."""
    first = sa.select(Instance.calling_aet, Instance.called_aet, Instance.received_at).where(
        Instance.study_id == study_id
    )
    again = (
        sa.select(Repeat.calling_aet, Repeat.called_aet, Repeat.received_at)
        .join(Instance, Instance.id == Repeat.instance_id)
        .where(Instance.study_id == study_id)
    )
    arrivals = sa.union_all(first, again).subquery()
    begin = sa.func.min(arrivals.c.received_at, type_=Instance.received_at.type)
    query = (
        sa.select(
            arrivals.c.calling_aet,
            arrivals.c.called_aet,
            sa.func.count(),
            begin,
            sa.func.max(arrivals.c.received_at, type_=Instance.received_at.type),
        )
        .group_by(arrivals.c.calling_aet, arrivals.c.called_aet)
        .order_by(begin)
    )
    return [SenderLine(*row) for row in session.execute(query)]
