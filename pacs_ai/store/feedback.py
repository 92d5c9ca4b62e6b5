"""Feedback: enter what a user says about a result, and read it again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pacs_ai.domain import JobId, JobState, ResultKind
from pacs_ai.feedback_kinds import FeedbackKind, Label
from pacs_ai.store import results
from pacs_ai.store.feedback_table import Feedback
from pacs_ai.store.schema import Job, Result, Study
from pacs_ai.store.selection import Filter, remove_some
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record
from pacs_ai.withdrawal_kinds import Notice

_AT_ONCE = 500
"""UIDs of one query."""


@dataclass(frozen=True, slots=True)
class Target:
    """A result that feedback is about, and the job and study that it was made of."""

    result: Result
    job: Job
    study: Study


def by_uid(session: Session, sop_instance_uid: str) -> Target | None:
    """Return the result that an SOP Instance UID of ours leads to; None if it leads to none.

    An overlay, or a report in another SOP class, leads to the result that stands for its job. Of
    several jobs that came to the same result it is the newest one.
    """
    named = _row(session, sop_instance_uid)
    if named is None:
        return None
    standing = named.job.result_uid
    if standing not in ("", sop_instance_uid):
        named = _row(session, standing) or named
    again = (
        sa.select(Job)
        .where(Job.study_id == named.study.id, Job.result_uid == named.result.sop_instance_uid)
        .order_by(Job.revision.desc())
        .limit(1)
    )
    return replace(named, job=session.scalar(again) or named.job)


def by_uids(session: Session, uids: Collection[str]) -> dict[str, Target]:
    """Return the results that any number of SOP Instance UIDs lead to, by these UIDs."""
    ours: list[str] = []
    asked = sorted(uids)
    for begin in range(0, len(asked), _AT_ONCE):
        some = asked[begin : begin + _AT_ONCE]
        known = sa.select(Result.sop_instance_uid).where(Result.sop_instance_uid.in_(some))
        ours += session.scalars(known)
    return {uid: found for uid in ours if (found := by_uid(session, uid)) is not None}


def _row(session: Session, sop_instance_uid: str) -> Target | None:
    row = session.execute(
        sa.select(Result, Job, Study)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Result.sop_instance_uid == sop_instance_uid, Result.kind.not_in(tuple(Notice)))
    ).first()
    return None if row is None else Target(*row)


def of_job(session: Session, job: Job) -> Target | None:
    """Return the result that stands for a job that has SUCCEEDED; see `Job`."""
    uid = job.result_uid
    if not uid:  # done by a version that did not note it
        ranked = sorted(
            results.of_job(session, JobId(job.id)), key=lambda one: one.kind != ResultKind.REPORT
        )
        uid = ranked[0].sop_instance_uid if ranked else ""
    found = by_uid(session, uid)
    return found and replace(found, job=job)


def superseded(session: Session, target: Target) -> bool:
    """Whether the same model has made another result of a later revision of the study."""
    uid = target.result.sop_instance_uid
    query = sa.select(Job.id).where(
        Job.study_id == target.study.id,
        Job.model_name == target.job.model_name,
        Job.revision > target.job.revision,
        Job.state == JobState.SUCCEEDED,
        Job.result_uid.not_in((uid, "")),
    )
    return session.scalar(query.limit(1)) is not None


def add(
    transaction: Transaction,
    target: Target,
    kind: FeedbackKind,
    labels: Mapping[str, Label],
    source: str,
    *,
    user: str,
    document_uid: str | None = None,
) -> Feedback:
    """Enter feedback, bound to the result, its model and the user; the ledger gets a line of it."""
    uid, job = target.result.sop_instance_uid, target.job
    row = Feedback(
        at=transaction.now,
        study_id=target.study.id,
        job_id=job.id,
        sop_instance_uid=uid,
        model_name=job.model_name,
        model_version=job.model_version,
        bundle_sha256=job.bundle_sha256,
        manifest_sha256=job.manifest_sha256,
        user_name=user[:64],
        kind=kind,
        source=source,
        document_uid=document_uid,
        decisions={one["name"]: one["decision"] for one in job.findings},
        labels=dict(labels),
    )
    transaction.add(row)
    transaction.flush()
    record(transaction, "feedback", row.id, "", kind.upper(), note=f"result {uid}, by {source}")
    return row


def has_said(session: Session, document_uid: str, sop_instance_uid: str) -> bool:
    """Whether feedback about a result was entered that came with this structured report."""
    said = sa.select(Feedback.id).where(
        Feedback.document_uid == document_uid, Feedback.sop_instance_uid == sop_instance_uid
    )
    return session.scalar(said) is not None


def newest_ids() -> sa.Select[int]:
    """Select the ids of the rows that count: the newest of each user about each result."""
    return sa.select(sa.func.max(Feedback.id)).group_by(
        Feedback.sop_instance_uid, Feedback.user_name
    )


def listed(session: Session, wanted: Filter, *, counted: bool = False) -> Sequence[Feedback]:
    """Return the feedback that a filter selects, the newest first.

    Parameters
    ----------
    wanted
        Its study, model, times and limit count.
    counted
        Only the rows that count.
    """
    query = sa.select(Feedback).order_by(Feedback.id.desc()).limit(wanted.limit)
    if wanted.study is not None:
        query = query.where(Feedback.study_id == wanted.study)
    if wanted.model:
        query = query.where(Feedback.model_name == wanted.model)
    if wanted.since:
        query = query.where(Feedback.at >= wanted.since)
    if wanted.before:
        query = query.where(Feedback.at < wanted.before)
    if counted:
        newer = aliased(Feedback)
        query = query.where(
            ~sa.exists().where(
                newer.sop_instance_uid == Feedback.sop_instance_uid,
                newer.user_name == Feedback.user_name,
                newer.id > Feedback.id,
            )
        )
    return session.scalars(query).all()


def counting(session: Session, rows: Sequence[Feedback]) -> set[int]:
    """Return the ids of those rows that count."""
    uids = [row.sop_instance_uid for row in rows]
    newest = newest_ids().where(Feedback.sop_instance_uid.in_(uids))
    return set(session.scalars(newest))


def forget(transaction: Transaction, most: int, before: datetime) -> int:
    """Delete what was said before a time, `most` rows at most; returns how many that were."""
    old = sa.select(Feedback.id).where(Feedback.at < before)
    return remove_some(transaction, Feedback.id, old, most)
