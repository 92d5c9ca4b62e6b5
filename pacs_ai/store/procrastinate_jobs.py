"""Tasks as jobs of Procrastinate, in the same PostgreSQL database as the rows they are about.

Each kind of task has a queue. Procrastinate's own SQL adds, ends and retries the jobs, so its tools
show and count what the node does. Its retries, its recovery and its workers are not used: the rows
are the truth, and the flow decides which tasks are lost (docs/adr/0001, 0002). Its query for the
next job is not used either: it reads all that wait in other queues.

A claim is noted in the arguments of its job, with a sign of life. Procrastinate's own heartbeat is
that of a process, but one thread of a process may be lost alone.

Only the engine gets this module: the flow has to work with any engine.
"""

import contextlib
import functools
import json
import threading
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from procrastinate.sql import queries
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pacs_ai.domain import TaskKind
from pacs_ai.errors import ConfigError
from pacs_ai.priorities import Order, Priority
from pacs_ai.store.claimed_task import (
    ClaimedTask,
    Line,
    lines,
    new_claim,
    overtaken_lines,
    owner_of,
)
from pacs_ai.store.session import Database, Transaction

_FUNCTIONS = """
SELECT count(DISTINCT proname) = 3 FROM pg_proc
WHERE proname IN ('procrastinate_defer_jobs_v1', 'procrastinate_finish_job_v1',
    'procrastinate_retry_job_v2')
"""
_ONE_AT_A_TIME = sa.text("SELECT pg_advisory_xact_lock(hashtext('pacs_ai.procrastinate'))")

# A claim looks for another job with the same lock, and for the first that waits in its queue.
# Procrastinate has an index for what is done now, but none for these.
_INDEXES = (
    """
CREATE INDEX IF NOT EXISTS pacs_ai_jobs_lock ON procrastinate_jobs (lock)
WHERE status IN ('todo', 'doing')
""",
    """
CREATE INDEX IF NOT EXISTS pacs_ai_jobs_line ON procrastinate_jobs (queue_name, priority DESC, id)
WHERE status = 'todo'
""",
)
_CHANNEL = "procrastinate_queue_v1#"
_EXISTING = sa.text(
    "SELECT args->>'key' FROM procrastinate_jobs "
    "WHERE queue_name = :queue AND status IN ('todo', 'doing')"
)
_HELD = sa.text(
    "SELECT args->>'claim' AS claim, args->>'sign' AS sign FROM procrastinate_jobs "
    "WHERE status = 'doing' AND queue_name = ANY(:queues)"
)
_RAISE = sa.text(
    "UPDATE procrastinate_jobs SET priority = greatest(priority, :priority) "
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
_NOTE = sa.text(
    "UPDATE procrastinate_jobs SET args = args || CAST(:noted AS jsonb) "
    "WHERE id = :id AND status = 'doing'"
)
_OF_CLAIM = sa.text(
    "SELECT id, queue_name, priority, args FROM procrastinate_jobs "
    "WHERE id = :id AND status = 'doing' AND args->>'claim' = :claim FOR UPDATE"
)
_WAITS_TOO = sa.text(
    "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'"
)


def prepare(database: Database) -> None:
    """Make Procrastinate's tables where there are none.

    Raises
    ------
    ConfigError
        If they are of another version of Procrastinate.
    """
    with database.engine.begin() as connection:
        connection.execute(_ONE_AT_A_TIME)
        if connection.exec_driver_sql(queries["check_connection"]).scalar() is None:
            _execute_script(connection, SchemaManager.get_schema())
        for index in _INDEXES:
            connection.exec_driver_sql(index)
        if connection.exec_driver_sql(_FUNCTIONS).scalar() is not True:
            raise ConfigError(
                "the tables of Procrastinate are of another version than the installed package: "
                "apply its migrations first (docs/cluster.md, Upgrades)"
            )


def enqueue(session: Session, kind: TaskKind, key: str, priority: int = Priority.ROUTINE) -> None:
    """Ask for a task in the caller's transaction; one that waits is not added again.

    Two jobs with one queueing lock cannot wait, so the second one is an error of the database: a
    savepoint keeps that from the caller's transaction.
    """
    lock = _lock(kind, key)
    job = (
        kind.value,
        f"pacs_ai.{kind.value}",
        -priority,
        lock,
        lock,
        json.dumps({"key": key}),
        None,
    )
    while True:
        try:
            with session.begin_nested():
                _run(session, "defer_jobs", jobs=[job])
                return
        except IntegrityError:
            # the one that waits may have been claimed since: then this one is added
            if session.execute(_RAISE, {"priority": -priority, "lock": lock}).first():
                return


def notified(database: Database, stop: threading.Event) -> Iterator[Sequence[TaskKind]]:
    """Yield the kinds that any node asks for, until `stop` is set.

    What is asked for while nobody listens is not told later, so the first are all kinds.

    Raises
    ------
    StorageError
        If the connection is lost.
    """
    with database.listening(*(f"{_CHANNEL}{kind}" for kind in TaskKind)) as notices:
        yield tuple(TaskKind)
        for channel, _ in notices:
            if stop.is_set():
                return
            if channel:
                yield (TaskKind(channel.removeprefix(_CHANNEL)),)


def waiting(session: Session, kinds: Sequence[TaskKind], order: Order = Order.URGENT_FIRST) -> bool:
    """Tell whether there is anything to claim, without locking."""
    return session.execute(_waits(tuple(kinds), order)).first() is not None


def claim(
    transaction: Transaction,
    kinds: Sequence[TaskKind],
    lease_seconds: float,
    order: Order = Order.URGENT_FIRST,
) -> ClaimedTask | None:
    """Take the first task in an order that nobody holds.

    Parameters
    ----------
    lease_seconds
        Of no meaning here: a sign of life is a date, and is compared only with itself.
    """
    del lease_seconds
    row = transaction.execute(_claim_first(tuple(kinds), order)).mappings().first()
    if row is None:
        return None
    claimed = new_claim(f"{transaction.actor}/{row['id']}")
    _note(transaction, row["id"], claim=claimed, sign=transaction.now.isoformat())
    priority = Priority(-row["priority"])
    overtook = priority < Priority.LOW and _has_older(transaction, kinds, priority, row["id"])
    return ClaimedTask(
        claimed, TaskKind(row["queue_name"]), row["args"]["key"], 1, priority, overtook
    )


@functools.cache
def _waits(kinds: tuple[TaskKind, ...], order: Order) -> sa.TextClause:
    return sa.text(_WAITS.format(heads=_heads(lines(kinds, order), _FIRST)))


@functools.cache
def _overtaken(kinds: tuple[TaskKind, ...], priority: Priority) -> sa.TextClause:
    return sa.text(_OVERTAKEN.format(heads=_heads(overtaken_lines(kinds, priority), _FIRST)))


@functools.cache
def _claim_first(kinds: tuple[TaskKind, ...], order: Order) -> sa.TextClause:
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


def _has_older(session: Session, kinds: Sequence[TaskKind], priority: Priority, than: int) -> bool:
    query = _overtaken(tuple(kinds), priority)
    return session.execute(query, {"than": than}).first() is not None


def renew(transaction: Transaction, task: ClaimedTask, lease_seconds: float) -> None:
    """Give a sign of life of a task that is performed."""
    del lease_seconds
    for row in _claimed(transaction, task.claim):
        _note(transaction, row["id"], sign=transaction.now.isoformat())


def finish(transaction: Transaction, task: ClaimedTask) -> None:
    """Remove a task that was done; one that was asked for meanwhile is another job already."""
    for row in _claimed(transaction, task.claim):
        _finish(transaction, row["id"])


def held(session: Session) -> list[tuple[str, str, Hashable]]:
    """Return claim, owner and sign of life of all tasks that anyone holds."""
    rows = session.execute(_HELD, {"queues": _queues(tuple(TaskKind))})
    return [(row.claim, owner_of(owner_of(row.claim)), row.sign) for row in rows]


def take_back(transaction: Transaction, claimed: str, *, last: bool) -> None:
    """Free the task of a claim, in its old place or behind all others."""
    for row in _claimed(transaction, claimed):
        kind, key = TaskKind(row["queue_name"]), row["args"]["key"]
        waits_too = transaction.execute(_WAITS_TOO, {"lock": _lock(kind, key)}).first()
        if last or waits_too:
            _finish(transaction, row["id"])
            enqueue(transaction, kind, key, -row["priority"])
        else:
            same = dict.fromkeys(("retry_at", "new_priority", "new_queue_name", "new_lock"))
            _run(transaction, "retry_job", job_id=row["id"], **same)


def existing(session: Session, kind: TaskKind) -> set[str]:
    """Return the keys of all tasks of a kind, held or not."""
    return set(session.scalars(_EXISTING, {"queue": kind.value}))


def _run(session: Session, name: str, **values: object) -> sa.CursorResult[Any]:
    """Run a query of Procrastinate's."""
    return session.connection().exec_driver_sql(queries[name], values)


def _execute_script(connection: sa.Connection, script: str) -> None:
    """Execute several statements: only the driver does that, and only without parameters."""
    with contextlib.closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)


def _queues(kinds: Sequence[TaskKind]) -> list[str]:
    return [kind.value for kind in kinds]


def _lock(kind: TaskKind, key: str) -> str:
    return f"pacs_ai/{kind}/{key}"


def _claimed(transaction: Transaction, claimed: str) -> Sequence[sa.RowMapping]:
    """Lock the job of a claim; nothing if others have it now."""
    number = owner_of(claimed).rpartition("/")[2]
    return transaction.execute(_OF_CLAIM, {"id": int(number), "claim": claimed}).mappings().all()


def _note(transaction: Transaction, job: int, **noted: str) -> None:
    transaction.execute(_NOTE, {"id": job, "noted": json.dumps(noted)})


def _finish(transaction: Transaction, job: int) -> None:
    _run(transaction, "finish_job", job_id=job, status="succeeded", delete_job=True)
