"""Jobs of rules with off-peak hours wait until these begin; urgent ones do not wait."""

from collections.abc import Sequence
from datetime import datetime

from pacs_ai.config import Config
from pacs_ai.flow.context import FlowContext
from pacs_ai.priorities import Priority
from pacs_ai.store import waiting_jobs
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Transaction


def closed(config: Config, job: Job, now: datetime) -> str:
    """Say which hours a job waits for; "" if it may begin.

    Of several rules one that may begin now is enough. A rule that the configuration does not have
    any more holds nothing up.
    """
    if job.priority == Priority.URGENT:
        return ""
    return _closed(config, job.rules, now)


def _closed(config: Config, names: Sequence[str], now: datetime) -> str:
    rules = {rule.name: rule.off_peak for rule in config.rules}
    windows = [rules.get(name) for name in names]
    if not windows or any(one is None or one.is_open(now) for one in windows):
        return ""
    return f"waits for the off-peak hours {' or '.join(map(str, windows))}"


def wake_off_peak(context: FlowContext, transaction: Transaction) -> None:
    """Queue the jobs whose hours have begun, or whose rules have none any more."""
    waiting = waiting_jobs.off_peak(transaction)
    now = transaction.now
    closed_rules = {
        rules: _closed(context.config, rules, now)
        for rules in {tuple(one.rules) for one in waiting}
    }
    for job in waiting:
        if not closed_rules[tuple(job.rules)]:
            waiting_jobs.wake(transaction, job.id)
