"""Ask for the route of a study, or the analysis or delivery of a job, with its priority."""

from pacs_ai.domain import TaskKind
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.priorities import Priority
from pacs_ai.store.completeness import Revision
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Session, Transaction


def ask_route(
    context: FlowContext, transaction: Transaction, revision: Revision, priority: Priority
) -> None:
    """Ask which models see a revision that is COMPLETE."""
    context.engine.enqueue(transaction, TaskKind.ROUTE, pair_key(*revision), priority)


def ask_analysis(context: FlowContext, transaction: Transaction, job_id: str) -> None:
    """Ask a worker to do a job that is QUEUED."""
    priority = _priority(transaction, job_id)
    context.engine.enqueue(transaction, TaskKind.ANALYSE, job_id, priority)


def ask_delivery(
    context: FlowContext, transaction: Transaction, job_id: str, destination: str
) -> None:
    """Ask for the delivery of what a job has for a destination."""
    key, priority = pair_key(job_id, destination), _priority(transaction, job_id)
    context.engine.enqueue(transaction, TaskKind.DELIVER, key, priority)


def priority_of_job(context: FlowContext, job_id: str) -> Priority:
    """Return the priority of a job."""
    with context.database.read() as session:
        return _priority(session, job_id)


def _priority(session: Session, job_id: str) -> Priority:
    job = session.get(Job, job_id)
    return Priority.ROUTINE if job is None else Priority(job.priority)
