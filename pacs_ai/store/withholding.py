"""Hold or cancel work that is no longer valid.

Reasons: the study is in CONFLICT, its patient was corrected, a person took results back, or a newer
revision replaces it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pacs_ai.domain import DeliveryId, DeliveryState, JobState, StudyId, StudyState
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE, RULES, move
from pacs_ai.store.withdrawal_table import Withdrawal
from pacs_ai.withdrawal_kinds import Notice

VOID = sa.or_(Result.correction < Study.correction, Result.withdrawal_id.is_not(None))
"""Results that do not hold any more: their patient was corrected, or a person took them back."""


def void_results() -> sa.CompoundSelect[int]:
    """Select the ids of these results, by the indexes of what is corrected and withdrawn.

    Few are void: it is found without a look at all that holds.
    """
    corrected = (
        sa.select(Result.id)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Job.study_id.in_(_corrected()), Result.correction < Study.correction)
    )
    return sa.union(corrected, sa.select(Result.id).where(Result.withdrawal_id.is_not(None)))


def studies_with_void_results() -> sa.CompoundSelect[int]:
    """Select the ids of the studies that may have such results."""
    return sa.union(_corrected(), sa.select(Withdrawal.study_id))


def _corrected() -> sa.Select[int]:
    """Select the studies whose patient was corrected, in the words of their index."""
    study = aliased(Study)
    return sa.select(study.id).where(study.correction > sa.literal_column("0"))


MAY_LEAVE = (
    sa.or_(Study.state != StudyState.CONFLICT, Result.kind.in_(tuple(Notice))),
    ~VOID,
)
"""Conditions on the study and result of a delivery, not on its own state, which others change.

What tells of a withdrawal leaves in a CONFLICT too: it says nothing of the images, and where it
goes there is something of the study already.
"""


def may_leave(session: Session, delivery_id: DeliveryId, attempt: int) -> bool:
    """Whether this attempt still holds a delivery, and the result may still leave."""
    query = (
        sa.select(Delivery.id)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Delivery.id == delivery_id,
            Delivery.state == DeliveryState.SENDING,
            Delivery.attempt == attempt,
            *MAY_LEAVE,
        )
    )
    return session.scalar(query) is not None


def cancel_void(transaction: Transaction) -> None:
    """Move PENDING/WAITING/FAILED → CANCELLED for results that do not hold any more."""
    states = (DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.FAILED)
    query = (
        sa.select(Delivery, Result.withdrawal_id)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state.in_(states), Result.id.in_(void_results()))
    )
    for delivery, withdrawal in transaction.execute(query).all():
        arrow = (DeliveryState(delivery.state), DeliveryState.CANCELLED)
        text = _CORRECTED if withdrawal is None else _WITHDRAWN
        move(transaction, Delivery, delivery.id, arrow, note=text)


_CORRECTED = "the patient was corrected: another result takes its place"
_WITHDRAWN = "the result was withdrawn before it left"

_UNDER_WAY = (JobState.QUEUED, JobState.WAITING, JobState.RUNNING)


def void_jobs(
    transaction: Transaction,
    study_id: StudyId,
    why: str,
    *,
    states: Sequence[JobState] = _UNDER_WAY,
    model_name: str = "",
) -> None:
    """Move QUEUED/WAITING/RUNNING/FAILED → CANCELLED for the jobs of a study in these states.

    With a name only those of one model.

    A worker that has one finds its lease lost, and drops its results.
    """
    query = sa.select(Job).where(Job.study_id == study_id, Job.state.in_(states))
    if model_name:
        query = query.where(Job.model_name == model_name)
    with transaction.by(RULES):
        for job in transaction.scalars(query).all():
            arrow = (JobState(job.state), JobState.CANCELLED)
            move(transaction, Job, job.id, arrow, note=why, finished_at=transaction.now, **NO_LEASE)


def cancel_older(transaction: Transaction, study_id: StudyId, revision: int) -> None:
    """Move QUEUED/WAITING → CANCELLED for jobs of revisions that a newer one replaces."""
    query = sa.select(Job).where(
        Job.study_id == study_id,
        Job.revision < revision,
        Job.state.in_((JobState.QUEUED, JobState.WAITING)),
    )
    for job in transaction.scalars(query).all():
        move(
            transaction,
            Job,
            job.id,
            (JobState(job.state), JobState.CANCELLED),
            note=f"replaced by revision {revision}",
            finished_at=transaction.now,
        )
