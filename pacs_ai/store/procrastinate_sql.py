"""The statements about jobs of Procrastinate, beside those that it brings itself."""

import functools
from collections.abc import Sequence

import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Order, Priority
from pacs_ai.store.claimed_task import Line, lines, overtaken_lines

FUNCTIONS = """
SELECT count(DISTINCT proname) = 3 FROM pg_proc
WHERE proname IN ('procrastinate_defer_jobs_v1', 'procrastinate_finish_job_v1',
    'procrastinate_retry_job_v2')
"""
ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(hashtext('pacs_ai.procrastinate'))")

# A claim looks for another job with the same lock, for the first that waits in its queue, and for
# urgent jobs of the last seconds. Procrastinate has an index for what is done now, but none for
# these.
INDEXES = (
    """
CREATE INDEX IF NOT EXISTS pacs_ai_jobs_lock ON procrastinate_jobs (lock)
WHERE status IN ('todo', 'doing')
""",
    """
CREATE INDEX IF NOT EXISTS pacs_ai_jobs_line ON procrastinate_jobs (queue_name, priority DESC, id)
WHERE status = 'todo'
""",
    """
CREATE INDEX IF NOT EXISTS pacs_ai_jobs_urgent ON procrastinate_jobs ((args->>'asked'))
WHERE priority = 0 AND status IN ('todo', 'doing')
""",
)
JOBS = sa.table("procrastinate_jobs", sa.column("lock", sa.Text), sa.column("status"))
UNDER_WAY = (sa.literal_column("'todo'", sa.Text), sa.literal_column("'doing'", sa.Text))
CHANNEL = "procrastinate_queue_v1#"
EXISTING = sa.text(
    "SELECT args->>'key' FROM procrastinate_jobs "
    "WHERE queue_name = :queue AND status IN ('todo', 'doing')"
)
HELD = sa.text(
    "SELECT args->>'claim' AS claim, args->>'sign' AS sign FROM procrastinate_jobs "
    "WHERE status = 'doing' AND queue_name = ANY(:queues)"
)
RAISE = sa.text(
    "UPDATE procrastinate_jobs SET priority = greatest(priority, :priority), args = CASE "
    "WHEN priority < :priority THEN args || CAST(:args AS jsonb) ELSE args END "
    "WHERE queueing_lock = :lock AND status = 'todo' RETURNING id"
)
_HEAD = (
    "SELECT id, priority FROM procrastinate_jobs AS job WHERE status = 'todo' "
    "AND queue_name = '{queue}' AND priority BETWEEN {last} AND {first} {more}"
)
_FIRST = "ORDER BY priority DESC, id LIMIT 1"
_CLAIMABLE = (
    "AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs AS other "
    "WHERE other.lock = job.lock AND other.status = 'doing') "
    "ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED"
)
_FROM_HEAD = "SELECT * FROM ({head}) AS head"
_WAITS = "SELECT 1 FROM ({heads}) AS heads LIMIT 1"
_OVERTAKEN = "SELECT 1 FROM ({heads}) AS heads WHERE id < :than LIMIT 1"
_CLAIM = (
    "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = (SELECT id FROM ({heads}) AS heads "
    "ORDER BY {order} LIMIT 1) RETURNING id, queue_name, priority, args"
)
URGENT = sa.text(
    "SELECT 1 FROM procrastinate_jobs WHERE priority = 0 AND status IN ('todo', 'doing') "
    "AND queue_name = ANY(:queues) AND args->>'asked' BETWEEN :after AND :before "
    "AND (status = 'todo' OR starts_with(args->>'claim', :mine)) LIMIT 1"
)
NOTE = sa.text(
    "UPDATE procrastinate_jobs SET args = args || CAST(:noted AS jsonb) "
    "WHERE id = :id AND status = 'doing'"
)
OF_CLAIM = sa.text(
    "SELECT id, queue_name, priority, args FROM procrastinate_jobs "
    "WHERE id = :id AND status = 'doing' AND args->>'claim' = :claim FOR UPDATE"
)
WAITS_TOO = sa.text(
    "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'"
)


@functools.cache
def waits(kinds: tuple[TaskKind, ...], order: Order) -> sa.TextClause:
    """Return the query that tells whether there is a job to claim."""
    return sa.text(_WAITS.format(heads=_heads(lines(kinds, order), _FIRST)))


@functools.cache
def overtaken(kinds: tuple[TaskKind, ...], priority: Priority) -> sa.TextClause:
    """Return the query that tells whether an older job waits that is less urgent."""
    return sa.text(_OVERTAKEN.format(heads=_heads(overtaken_lines(kinds, priority), _FIRST)))


@functools.cache
def claim_first(kinds: tuple[TaskKind, ...], order: Order) -> sa.TextClause:
    """Return the query that claims the first task in an order."""
    by = "id" if order is Order.OLDEST_FIRST else "priority DESC, id"
    return sa.text(_CLAIM.format(heads=_heads(lines(kinds, order), _CLAIMABLE), order=by))


def _heads(of: Sequence[Line], more: str) -> str:
    """Return the query for the first job of each line; to Procrastinate, -1 is less than urgent."""
    heads = [
        _HEAD.format(queue=line.kind.value, first=-line.first, last=-line.last, more=more)
        for line in of
    ]
    return " UNION ALL ".join(_FROM_HEAD.format(head=head) for head in heads)
