"""Jobs and their results: one function for each transition of their state machine."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import JobId, JobState, ResultKind, StudyState
from pacs_ai.errors import LeaseLost, ModelDisabled
from pacs_ai.priorities import Priority
from pacs_ai.store import active_models, new_deliveries, results
from pacs_ai.store.active_models import ModelState, Stamp
from pacs_ai.store.modelrecord import NOTHING_LOADED, recorded_model
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE, RULES, move, record


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to one job; the attempt fences off whoever held it before."""

    job_id: JobId
    attempt: int


def create(
    transaction: Transaction,
    study: Study,
    rules: Sequence[str],
    model_name: str,
    model: Stamp,
    *,
    priority: Priority = Priority.ROUTINE,
    asked: Mapping[str, Any] | None = None,
) -> JobId | None:
    """Queue one model for one study revision; None if that job exists already.

    Parameters
    ----------
    rules
        Names of all rules that asked for it: together they say what is made and who gets it.
    priority
        In which order it begins, and its results are sent.
    asked
        What the rules asked for, see `pacs_ai.flow.asked_rules`.
    """
    same = sa.select(Job.id).where(
        Job.study_id == study.id,
        Job.revision == study.revision,
        Job.model_name == model_name,
        Job.model_version == model.version,
    )
    if transaction.scalar(same) is not None:
        return None
    job_id = JobId(str(uuid.uuid4()))
    job = Job(
        id=job_id,
        study_id=study.id,
        revision=study.revision,
        correction=study.correction,
        rules=list(rules),
        priority=priority,
        asked=None if asked is None else dict(asked),
        model_name=model_name,
        model_version=model.version,
        bundle_sha256=model.sha256,
        manifest_sha256=model.manifest_sha256,
        state=JobState.QUEUED,
        created_at=transaction.now,
    )
    transaction.add(job)
    transaction.flush()
    with transaction.by(RULES):
        record(transaction, "job", job_id, "", JobState.QUEUED)
    return job_id


def claim(
    transaction: Transaction,
    job_id: JobId,
    lease_seconds: float,
    runs: Mapping[str, Stamp] = NOTHING_LOADED,
    closed: Callable[[Job], tuple[str, str] | None] = lambda _: None,
) -> Lease | None:
    """Move QUEUED → RUNNING under a lease; None if the job is not waiting for a worker.

    The job gets the version of its model that is active now. If it is disabled, the job waits.

    Parameters
    ----------
    runs
        What runs under the name of each model for which no version was made active. The row says
        what runs from now on: if that is not what the job was made for, the audit trail tells from
        what to what.
    closed
        Gives code and text of what a job has to wait for, None if it may begin.
    """
    job = transaction.get(Job, job_id)
    if job is None or job.state != JobState.QUEUED:
        return None
    study = transaction.get_one(Study, job.study_id)
    if study.state == StudyState.CONFLICT or job.correction != study.correction:
        return None
    active = active_models.find(transaction, job.model_name)
    if active is not None and active.state == ModelState.DISABLED:
        text = f"model {job.model_name!r} is disabled, by {active.set_by}: pacs-ai models activate"
        _hold(transaction, job, ModelDisabled.code, text)
        return None
    if reason := closed(job):
        _hold(transaction, job, *reason)
        return None
    attempt = job.attempt + 1
    note, model = recorded_model(job, active or runs.get(job.model_name))
    if not move(
        transaction,
        Job,
        job_id,
        (JobState.QUEUED, JobState.RUNNING),
        note=note,
        fence={"attempt": job.attempt},
        attempt=attempt,
        lease_owner=transaction.actor,
        lease_until=transaction.now + timedelta(seconds=lease_seconds),
        started_at=transaction.now,
        finished_at=None,
        error_code="",
        error_text="",
        **model,
    ):
        return None
    return Lease(job_id, attempt)


def _hold(transaction: Transaction, job: Job, code: str, text: str) -> None:
    """Move QUEUED → WAITING without a time: a sweep or a person ends the reason to wait."""
    move(
        transaction,
        Job,
        job.id,
        (JobState.QUEUED, JobState.WAITING),
        fence={"attempt": job.attempt},
        note=text,
        error_code=code,
        error_text=text,
        due_at=None,
    )


def renew(transaction: Transaction, lease: Lease, lease_seconds: float) -> bool:
    """Renew a lease; False if another worker has the job."""
    changed = transaction.execute(
        sa.update(Job)
        .where(Job.id == lease.job_id, Job.state == JobState.RUNNING, Job.attempt == lease.attempt)
        .values(lease_until=transaction.now + timedelta(seconds=lease_seconds))
        .returning(Job.id)
    )
    return changed.first() is not None


def succeed(
    transaction: Transaction,
    lease: Lease,
    made: Sequence[StoredResult],
    summary: str,
    fault: tuple[str, str] = ("", ""),
    *,
    findings: Sequence[Mapping[str, str]] = (),
    stages: Mapping[str, float] | None = None,
) -> list[str]:
    """Move RUNNING → SUCCEEDED, with the results' rows and their deliveries.

    A result of an earlier revision that came out the same keeps its row, and goes only where it has
    not gone. ``fault`` says what could not be made, ``findings`` and ``stages`` are those of `Job`.

    Returns
    -------
    list of str
        Destinations that have something to send now.

    Raises
    ------
    LeaseLost
        If another attempt took over: nothing of this one may stay.
    """
    code, text = fault
    values = {"error_code": code, "error_text": text, "stages": dict(stages or {})}
    found = {"findings": [dict(one) for one in findings], "result_uid": _standing_for(made)}
    _finish(transaction, lease, JobState.SUCCEEDED, summary=summary, **found, **values)
    return _keep(transaction, lease, made)


def _standing_for(made: Sequence[StoredResult]) -> str:
    """Return the UID of the result that stands for a job: its report, or the first of others."""
    ranked = sorted(made, key=lambda one: one.kind != ResultKind.REPORT)
    return ranked[0].sop_instance_uid if ranked else ""


def _keep(transaction: Transaction, lease: Lease, made: Sequence[StoredResult]) -> list[str]:
    """Insert results and their deliveries; returns the destinations that have something to send."""
    rows = results.keep(transaction, lease.job_id, made)
    pairs = [
        (row, destination)
        for row, one in zip(rows, made, strict=True)
        for destination in one.send_to
    ]
    return new_deliveries.begin(transaction, lease.job_id, pairs)


def postpone(
    transaction: Transaction, lease: Lease, code: str, text: str, due_at: datetime
) -> None:
    """Move RUNNING → WAITING: the same may succeed later."""
    _finish(
        transaction,
        lease,
        JobState.WAITING,
        error_code=code,
        error_text=text,
        due_at=due_at,
        postponed=pauses(transaction, lease.job_id, code) + 1,
        postponed_for=code,
    )


def pauses(session: Session, job_id: JobId, code: str) -> int:
    """Return how often in a row a job was postponed for a reason."""
    job = session.get_one(Job, job_id)
    return job.postponed if job.postponed_for == code else 0


def reject(
    transaction: Transaction, lease: Lease, code: str, text: str, made: Sequence[StoredResult] = ()
) -> list[str]:
    """Move RUNNING → REJECTED: the study holds nothing this model can judge.

    Returns
    -------
    list of str
        Destinations that are told so, by the results in `made`.
    """
    _finish(transaction, lease, JobState.REJECTED, error_code=code, error_text=text)
    return _keep(transaction, lease, made)


def fail(transaction: Transaction, lease: Lease, code: str, text: str) -> None:
    """Move RUNNING → FAILED: it would fail again."""
    _finish(transaction, lease, JobState.FAILED, error_code=code, error_text=text)


def _finish(transaction: Transaction, lease: Lease, target: JobState, **values: object) -> None:
    moved = move(
        transaction,
        Job,
        lease.job_id,
        (JobState.RUNNING, target),
        fence={"attempt": lease.attempt},
        note=str(values.get("error_text", "")),
        finished_at=transaction.now,
        **NO_LEASE,
        **values,
    )
    if not moved:
        raise LeaseLost(f"job {lease.job_id}: attempt {lease.attempt} was taken over")
