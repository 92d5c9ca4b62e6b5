"""What an operator may change by hand; each change leaves a line in the audit trail."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState
from pacs_ai.errors import IllegalTransition
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.selection import begins_with
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import move

ACTOR = "operator"
"""The actor of the transactions that these functions are called in."""


def retry_job(transaction: Transaction, job: Job) -> None:
    """Move FAILED/REJECTED/WAITING → QUEUED with all counters at zero.

    Raises
    ------
    IllegalTransition
        If the job is in any other state, or its study's patient was corrected since.
    """
    if job.correction != transaction.get_one(Study, job.study_id).correction:
        raise IllegalTransition(
            f"job {job.id} was made before the patient of its study was corrected: use pacs-ai"
            f" studies reroute {job.study_id}"
        )
    _arrow_or_raise(
        move(
            transaction,
            Job,
            job.id,
            (JobState(job.state), JobState.QUEUED),
            note="retry",
            worker_crashes=0,
            node_crashes=0,
            postponed=0,
            postponed_for="",
            due_at=None,
            finished_at=None,
            error_code="",
            error_text="",
        ),
        f"job {job.id}",
    )


def cancel_job(transaction: Transaction, job: Job) -> None:
    """Move QUEUED/WAITING → CANCELLED; `IllegalTransition` from any other state."""
    if job.state not in (JobState.QUEUED, JobState.WAITING):
        raise IllegalTransition(f"job {job.id}: {job.state} cannot become {JobState.CANCELLED}")
    arrow = (JobState(job.state), JobState.CANCELLED)
    moved = move(transaction, Job, job.id, arrow, finished_at=transaction.now)
    _arrow_or_raise(moved, f"job {job.id}")


def retry_delivery(transaction: Transaction, delivery: Delivery) -> None:
    """Move FAILED/WAITING → PENDING; the retry period starts again."""
    _arrow_or_raise(
        move(
            transaction,
            Delivery,
            delivery.id,
            (DeliveryState(delivery.state), DeliveryState.PENDING),
            note="retry",
            created_at=transaction.now,
            earlier_attempts=delivery.attempt,
            refusals=0,
            postponed=0,
            postponed_for="",
            commit_rounds=0,
            asked_at=None,
            due_at=None,
            error_code="",
            error_text="",
        ),
        f"delivery {delivery.id}",
    )


def cancel_delivery(transaction: Transaction, delivery: Delivery) -> None:
    """Move PENDING/WAITING/FAILED → CANCELLED; `IllegalTransition` from any other state."""
    arrow = (DeliveryState(delivery.state), DeliveryState.CANCELLED)
    moved = move(transaction, Delivery, delivery.id, arrow)
    _arrow_or_raise(moved, f"delivery {delivery.id}")


def _arrow_or_raise(moved: bool, what: str) -> None:  # noqa: FBT001 - the outcome of `move`
    if not moved:
        raise IllegalTransition(f"{what} changed meanwhile: look again")


def find_job(session: Session, prefix: str) -> list[Job]:
    """Return the jobs whose id begins with a text: at most two, which is one too many."""
    query = sa.select(Job).where(begins_with(Job.id, prefix)).limit(2)
    return list(session.scalars(query))
