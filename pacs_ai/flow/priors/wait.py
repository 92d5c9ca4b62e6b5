"""Jobs wait for earlier studies to be analysed, for a bounded time; urgent ones do not."""

from datetime import timedelta

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.off_peak import closed
from pacs_ai.priorities import Priority
from pacs_ai.store import prior_searches, waiting_jobs
from pacs_ai.store.prior_searches import PRIORS, SearchState
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Transaction
from pacs_ai.store.waiting_jobs import OFF_PEAK

_NOTHING = timedelta()
_SLACK = timedelta(minutes=1)
"""A transaction may have waited for another one since it read the clock."""


def reason_to_wait(
    context: FlowContext, transaction: Transaction, job: Job
) -> tuple[str, str] | None:
    """Return code and text of why a job does not begin yet; None if it may."""
    if hours := closed(context.config, job, transaction.now):
        return OFF_PEAK, hours
    search = prior_searches.of_job(transaction, job.id)
    if search is None or search.state == SearchState.OVER or job.priority == Priority.URGENT:
        return None
    return PRIORS, f"waits for earlier studies until {search.until:%H:%M:%S} UTC at most"


def wake_those_with_priors(context: FlowContext, transaction: Transaction) -> None:
    """Queue the jobs that need not wait for earlier studies any longer."""
    asked = [rule.priors.wait for rule in context.config.rules if rule.priors is not None]
    longest = max(asked, default=_NOTHING) + _SLACK
    prior_searches.end_those_that_are_over(transaction, longest)
    for job_id in prior_searches.waiting_for_nothing(transaction):
        waiting_jobs.wake(transaction, job_id)
