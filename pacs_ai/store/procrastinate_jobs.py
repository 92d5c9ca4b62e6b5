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
import json
import threading
from collections.abc import Hashable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from procrastinate.schema import SchemaManager
from procrastinate.sql import queries
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pacs_ai.domain import TaskKind
from pacs_ai.errors import ConfigError
from pacs_ai.priorities import Order, Priority
from pacs_ai.store import procrastinate_sql as sql
from pacs_ai.store.claimed_task import ClaimedTask, Keys, new_claim, owner_of
from pacs_ai.store.session import Database, Transaction


def prepare(database: Database) -> None:
    """Make Procrastinate's tables where there are none.

    Raises
    ------
    ConfigError
        If they are of another version of Procrastinate.
    """
    with database.engine.begin() as connection:
        connection.execute(sql.ONE_AT_A_TIME)
        if connection.exec_driver_sql(queries["check_connection"]).scalar() is None:
            _execute_script(connection, SchemaManager.get_schema())
        for index in sql.INDEXES:
            connection.exec_driver_sql(index)
        if connection.exec_driver_sql(sql.FUNCTIONS).scalar() is not True:
            raise ConfigError(
                "the tables of Procrastinate are of another version than the installed package: "
                "apply its migrations first (docs/cluster.md, Upgrades)"
            )


def enqueue(
    transaction: Transaction, kind: TaskKind, key: str, priority: int = Priority.ROUTINE
) -> None:
    """Ask for a task in the caller's transaction; one that waits is not added again.

    Two jobs with one queueing lock cannot wait, so the second one is an error of the database: a
    savepoint keeps that from the caller's transaction.
    """
    lock = _lock(kind, key)
    args = json.dumps({"key": key, "asked": _date(transaction.now)})
    job = (kind.value, f"pacs_ai.{kind.value}", -priority, lock, lock, args, None)
    while True:
        try:
            with transaction.begin_nested():
                _run(transaction, "defer_jobs", jobs=[job])
                return
        except IntegrityError:
            # the one that waits may have been claimed since: then this one is added
            values = {"priority": -priority, "lock": lock, "args": args}
            if transaction.execute(sql.RAISE, values).first():
                return


def notified(database: Database, stop: threading.Event) -> Iterator[Sequence[TaskKind]]:
    """Yield the kinds that any node asks for, until `stop` is set.

    What is asked for while nobody listens is not told later, so the first are all kinds.

    Raises
    ------
    StorageError
        If the connection is lost.
    """
    with database.listening(*(f"{sql.CHANNEL}{kind}" for kind in TaskKind)) as notices:
        yield tuple(TaskKind)
        for channel, _ in notices:
            if stop.is_set():
                return
            if channel:
                yield (TaskKind(channel.removeprefix(sql.CHANNEL)),)


def waiting(session: Session, kinds: Sequence[TaskKind], order: Order = Order.URGENT_FIRST) -> bool:
    """Tell whether there is anything to claim, without locking."""
    return session.execute(sql.waits(tuple(kinds), order)).first() is not None


def urgent(session: Session, node: str, after: datetime, before: datetime) -> bool:
    """Tell whether an urgent job waits, or a node performs it, that was asked for lately."""
    values = {
        "queues": _queues(tuple(TaskKind)),
        "after": _date(after),
        "before": _date(before),
        "mine": f"{node}/",
    }
    return session.execute(sql.URGENT, values).first() is not None


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
    row = transaction.execute(sql.claim_first(tuple(kinds), order)).mappings().first()
    if row is None:
        return None
    claimed = new_claim(f"{transaction.actor}/{row['id']}")
    _note(transaction, row["id"], claim=claimed, sign=transaction.now.isoformat())
    priority = Priority(-row["priority"])
    overtook = priority < Priority.LOW and _has_older(transaction, kinds, priority, row["id"])
    return ClaimedTask(
        claimed, TaskKind(row["queue_name"]), row["args"]["key"], 1, priority, overtook
    )


def _has_older(session: Session, kinds: Sequence[TaskKind], priority: Priority, than: int) -> bool:
    query = sql.overtaken(tuple(kinds), priority)
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
    rows = session.execute(sql.HELD, {"queues": _queues(tuple(TaskKind))})
    return [(row.claim, owner_of(owner_of(row.claim)), row.sign) for row in rows]


def take_back(transaction: Transaction, claimed: str, *, last: bool) -> None:
    """Free the task of a claim, in its old place or behind all others."""
    for row in _claimed(transaction, claimed):
        kind, key = TaskKind(row["queue_name"]), row["args"]["key"]
        waits_too = transaction.execute(sql.WAITS_TOO, {"lock": _lock(kind, key)}).first()
        if last or waits_too:
            _finish(transaction, row["id"])
            enqueue(transaction, kind, key, -row["priority"])
        else:
            same = dict.fromkeys(("retry_at", "new_priority", "new_queue_name", "new_lock"))
            _run(transaction, "retry_job", job_id=row["id"], **same)


def existing(session: Session, kind: TaskKind) -> set[str]:
    """Return the keys of all tasks of a kind, held or not."""
    return set(session.scalars(sql.EXISTING, {"queue": kind.value}))


def lost(session: Session, kind: TaskKind, keys: Keys) -> list[str]:
    """Return those keys that have no task of a kind."""
    wanted = keys.subquery("wanted")
    (key,) = wanted.c
    lock = sa.literal(_lock(kind, "")) + key
    has_one = sa.exists().where(sql.JOBS.c.lock == lock, sql.JOBS.c.status.in_(sql.UNDER_WAY))
    return list(session.scalars(sa.select(key).where(~has_one)))


def _run(session: Session, name: str, **values: object) -> sa.CursorResult[Any]:
    """Run a query of Procrastinate's."""
    return session.connection().exec_driver_sql(queries[name], values)


def _execute_script(connection: sa.Connection, script: str) -> None:
    """Execute several statements: only the driver does that, and only without parameters."""
    with contextlib.closing(connection.connection.cursor()) as cursor:
        cursor.execute(script)


def _date(moment: datetime) -> str:
    """Return a date that is compared as text."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _queues(kinds: Sequence[TaskKind]) -> list[str]:
    return [kind.value for kind in kinds]


def _lock(kind: TaskKind, key: str) -> str:
    return f"pacs_ai/{kind}/{key}"


def _claimed(transaction: Transaction, claimed: str) -> Sequence[sa.RowMapping]:
    """Lock the job of a claim; nothing if others have it now."""
    number = owner_of(claimed).rpartition("/")[2]
    return transaction.execute(sql.OF_CLAIM, {"id": int(number), "claim": claimed}).mappings().all()


def _note(transaction: Transaction, job: int, **noted: str) -> None:
    transaction.execute(sql.NOTE, {"id": job, "noted": json.dumps(noted)})


def _finish(transaction: Transaction, job: int) -> None:
    _run(transaction, "finish_job", job_id=job, status="succeeded", delete_job=True)
