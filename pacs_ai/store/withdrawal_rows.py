"""Withdrawals: what a person takes back of a study, and what became of it where it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pacs_ai.domain import DeliveryState, ResultKind, StudyId
from pacs_ai.store import withholding
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record
from pacs_ai.store.withdrawal_table import Withdrawal
from pacs_ai.withdrawal_kinds import Notice, RejectionReason

WITHDRAWN = "withdrawn: "
"""Begins the summary of a job whose results were withdrawn."""

NOT_SENT = "not sent"
"""Kind of an outcome at a destination that had not got the results."""


def valid_results(session: Session, study_id: int, model_name: str = "") -> Sequence[Result]:
    """Return the results of a study that hold, of all models or of one."""
    query = (
        sa.select(Result)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Study.id == study_id, ~withholding.VOID, Result.kind.not_in(tuple(Notice)))
        .order_by(Result.id)
    )
    if model_name:
        query = query.where(Job.model_name == model_name)
    return session.scalars(query).all()


def take_back(
    transaction: Transaction, study: Study, reason: RejectionReason, model_name: str = ""
) -> int:
    """Withdraw the results of a study that hold; returns how many these are.

    Deliveries of them that wait or have failed become CANCELLED, and so do jobs under way: they
    would say the same again. What has gone out is told to its destinations later; see
    `pacs_ai.store.withdrawals`.
    """
    study = transaction.get_one(Study, study.id, with_for_update=True)
    results = valid_results(transaction, study.id, model_name)
    if not results:
        return 0
    row = Withdrawal(
        study_id=study.id,
        at=transaction.now,
        reason=reason,
        model_name=model_name,
        user_name=transaction.user,
    )
    transaction.add(row)
    transaction.flush()
    for result in results:
        result.withdrawal_id = row.id
    _mark_jobs(transaction, {result.job_id for result in results})
    transaction.flush()
    of_model = f" of {model_name}" if model_name else ""
    by = f" by {transaction.user}" if transaction.user else ""
    text = f"{len(results)} results{of_model} withdrawn{by}: {reason}"
    record(transaction, "study", study.id, study.state, study.state, note=text)
    withholding.cancel_void(transaction)
    withholding.void_jobs(
        transaction, StudyId(study.id), "results were withdrawn", model_name=model_name
    )
    return len(results)


def _mark_jobs(transaction: Transaction, ids: set[str]) -> None:
    """Let what jobs have found say that it does not hold, wherever it is shown."""
    for job in transaction.scalars(sa.select(Job).where(Job.id.in_(ids))):
        job.summary = f"{WITHDRAWN}{job.summary}"


def of_study(session: Session, study_id: int) -> Sequence[Withdrawal]:
    """Return the withdrawals of a study, the first one first."""
    query = sa.select(Withdrawal).where(Withdrawal.study_id == study_id).order_by(Withdrawal.id)
    return session.scalars(query).all()


def reason_of(session: Session, withdrawal_id: int | None) -> RejectionReason:
    """Return why results do not hold; those of a corrected patient are a danger to patients."""
    row = None if withdrawal_id is None else session.get(Withdrawal, withdrawal_id)
    return RejectionReason.PATIENT_SAFETY if row is None else RejectionReason(row.reason)


def before(session: Session, job: Job) -> int:
    """Count the withdrawals of results of a job's model and study before the job was made.

    What the job makes has other UIDs than what was withdrawn: archives refuse that when it comes
    again.
    """
    query = sa.select(sa.func.count()).where(
        Withdrawal.study_id == job.study_id,
        Withdrawal.model_name.in_(("", job.model_name)),
        Withdrawal.at <= job.created_at,
    )
    return session.scalar(query) or 0


def replacement(session: Session, withdrawn: Result) -> str:
    """Return the UID of the report that takes the place of a withdrawn result; "" without one."""
    job = session.get_one(Job, withdrawn.job_id)
    query = (
        sa.select(Result.sop_instance_uid)
        .join(Job, Job.id == Result.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            Study.id == job.study_id,
            Job.model_name == job.model_name,
            Result.kind == ResultKind.REPORT,
            ~withholding.VOID,
        )
        .order_by(Job.revision.desc(), Result.id.desc())
        .limit(1)
    )
    return session.scalar(query) or ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of withdrawn results at one destination.

    Parameters
    ----------
    kind
        Kind of the notice that tells the destination; `NOT_SENT` if it has not got the results, ""
        if nothing tells it so far.
    results
        How many results this is about.
    state
        State of the delivery of the notice, or CANCELLED.
    at
        When the destination got the notice.
    reason
        Why the notice could not be delivered, or what the destination said.
    """

    destination: str
    kind: str
    results: int
    state: str
    at: datetime | None
    reason: str


def outcomes(session: Session, withdrawal_id: int) -> list[Outcome]:
    """Return what became of the results of a withdrawal, destination by destination."""
    notice, told = aliased(Result), aliased(Delivery)
    query = (
        sa.select(Delivery, notice, told)
        .join(Result, Result.id == Delivery.result_id)
        .outerjoin(notice, notice.id == Delivery.withdrawn_by)
        .outerjoin(told, told.result_id == notice.id)
        .where(Result.withdrawal_id == withdrawal_id)
        .order_by(Delivery.destination, Delivery.id)
    )
    found: dict[tuple[str, int | None, bool], Outcome] = {}
    for sent, by, telling in session.execute(query).all():
        left = sent.state != DeliveryState.CANCELLED or sent.may_be_held
        key = (sent.destination, sent.withdrawn_by, left)
        earlier = found.get(key)
        found[key] = _outcome(sent, by, telling, 1 + (earlier.results if earlier else 0), left=left)
    return list(found.values())


def _outcome(
    sent: Delivery, by: Result | None, telling: Delivery | None, results: int, *, left: bool
) -> Outcome:
    if by is None or telling is None:
        kind, state = ("", sent.state) if left else (NOT_SENT, DeliveryState.CANCELLED)
        return Outcome(sent.destination, kind, results, state, None, "")
    return Outcome(
        sent.destination, by.kind, results, telling.state, telling.stored_at, telling.error_text
    )
