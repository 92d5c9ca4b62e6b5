"""Jobs: list, show, retry, cancel."""

from collections.abc import Sequence

from pacs_ai.domain import JobId, JobState
from pacs_ai.flow.ask import ask_analysis
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_job
from pacs_ai.flow.operate.retrying import Retried, retry_matching
from pacs_ai.store import operator, overview, results, retryable
from pacs_ai.store.records import (
    DeliveryRecord,
    EventRecord,
    JobDetails,
    JobRecord,
    ResultRecord,
    filled,
)
from pacs_ai.store.schema import Job
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Transaction

RETRYABLE = (JobState.FAILED, JobState.REJECTED, JobState.WAITING)
"""States of a job that can be tried again."""


def list_jobs(context: FlowContext, wanted: Filter) -> list[JobRecord]:
    """Return the jobs that a filter selects, the newest first."""
    with context.database.read() as session:
        return [JobRecord.of(job, study) for job, study in overview.jobs(session, wanted)]


def show_job(context: FlowContext, reference: str) -> JobDetails:
    """Return a job with its results, their deliveries and its audit trail.

    Parameters
    ----------
    reference
        Its id, or enough of its first characters.

    Raises
    ------
    StateError
        If this names no job, or several.
    """
    job = find_job(context, reference)
    with context.database.read() as session:
        line = overview.study(session, str(job.study_id))
        events = overview.events(session, "job", job.id)
        made = results.of_job(session, JobId(job.id))
    sent = () if line is None else line.deliveries
    return filled(
        JobDetails,
        JobRecord.of(job, None if line is None else line.study),
        results=[ResultRecord.of(result, context.spool) for result in made],
        deliveries=[DeliveryRecord.of(*pair) for pair in sent if pair[0].job_id == job.id],
        events=[EventRecord.of(event) for event in events],
    )


def retry_jobs(context: FlowContext, references: Sequence[str]) -> Retried:
    """Queue jobs again that are FAILED, REJECTED or WAITING; all of them or none.

    Parameters
    ----------
    references
        Their ids, or enough of the first characters of each.

    Raises
    ------
    StateError
        If one of them names no job, or several.
    IllegalTransition
        If a job is in another state, or its patient was corrected meanwhile.
    """
    rows = [find_job(context, reference) for reference in dict.fromkeys(references)]
    with context.write() as transaction:
        for row in rows:
            _queue(context, transaction, row)
    return Retried(len(rows), [row.id for row in rows])


def retry_matching_jobs(context: FlowContext, wanted: Filter) -> Retried:
    """Queue all jobs again that a filter selects.

    Parameters
    ----------
    wanted
        Its state is one of `RETRYABLE`; FAILED if it has none. Its times are those at which a job
        came to this state. Its limit does not count.

    Raises
    ------
    StateError
        If jobs in this state cannot be tried again.
    """
    return retry_matching(context, wanted, RETRYABLE, retryable.jobs, _queue)


def cancel_job(context: FlowContext, reference: str) -> str:
    """Cancel a job that is QUEUED or WAITING; returns its id.

    Raises
    ------
    StateError
        If ``reference`` (see `show_job`) names no job, or several.
    IllegalTransition
        If it is in another state.
    """
    row = find_job(context, reference)
    with context.write() as transaction:
        operator.cancel_job(transaction, row)
    return row.id


def _queue(context: FlowContext, transaction: Transaction, row: Job) -> None:
    operator.retry_job(transaction, row)
    ask_analysis(context, transaction, row.id)
