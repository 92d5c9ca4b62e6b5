"""Tasks of the local engine: rows that wake a worker. They are hints; other rows are the truth.

Only the engine gets this module: the flow has to work with any engine.
"""

import functools
import threading
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Order, Priority
from pacs_ai.store.claimed_task import (
    ClaimedTask,
    Keys,
    Line,
    lines,
    new_claim,
    overtaken_lines,
    owner_of,
)
from pacs_ai.store.columns import WORD, Base
from pacs_ai.store.session import Database, Transaction
from pacs_ai.store.transition import NO_LEASE

_WAITS = sa.text("lease_owner IS NULL")
_URGENT = sa.text(f"priority = {Priority.URGENT:d}")


class Task(Base):
    """A reason to wake a worker now.

    ``version`` grows when the same task is asked for again. ``lease_owner`` names the worker and
    its claim, ``node/boot/process/claim``: a worker that was frozen and comes back late changes
    nothing of a task that somebody else has claimed since. ``asked_at`` says since when it has its
    priority; the version before this one leaves it empty.
    """

    __tablename__ = "task"
    __table_args__ = (
        sa.UniqueConstraint("kind", "key"),
        sa.Index(
            "ix_task_line",
            "kind",
            "priority",
            "id",
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
        sa.Index("ix_task_urgent", "asked_at", sqlite_where=_URGENT, postgresql_where=_URGENT),
        # nodes of the version before claim by this one
        sa.Index(
            "ix_task_waiting",
            "priority",
            "id",
            "kind",
            sqlite_where=_WAITS,
            postgresql_where=_WAITS,
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(WORD)
    key: Mapped[str] = mapped_column(sa.String(128))
    version: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int] = mapped_column(default=1, server_default="1")
    lease_owner: Mapped[str | None] = mapped_column(sa.String(128))
    lease_until: Mapped[datetime | None]
    asked_at: Mapped[datetime | None]


_TASK = cast("sa.Table", Task.__table__)
_FREE = _TASK.c.lease_owner.is_(None)
_NAMED = (_TASK.c.kind, _TASK.c.key, _TASK.c.version, _TASK.c.priority, _TASK.c.id)


# Built once, and of the table instead of the class: SQLAlchemy takes three times as long otherwise.
@functools.cache
def _waits(kinds: tuple[TaskKind, ...], order: Order) -> sa.Select[Any]:
    return sa.select(_heads(lines(kinds, order)).c.id).limit(1)


@functools.cache
def _overtaken(kinds: tuple[TaskKind, ...], priority: Priority) -> sa.Select[Any]:
    older = _heads(overtaken_lines(kinds, priority))
    return sa.select(older.c.id).where(older.c.id < sa.bindparam("than")).limit(1)


@functools.cache
def _claim_first(kinds: tuple[TaskKind, ...], order: Order) -> sa.sql.dml.ReturningUpdate[Any]:
    """Return the query that claims the first task in an order: one statement, by an index."""
    found = _heads(lines(kinds, order), claimed=True)
    by = (found.c.id,) if order is Order.OLDEST_FIRST else (found.c.priority, found.c.id)
    first = sa.select(found.c.id).order_by(*by).limit(1)
    return (
        sa.update(_TASK)
        .where(_TASK.c.id == first.scalar_subquery())
        .values(lease_owner=sa.bindparam("owner"), lease_until=sa.bindparam("until"))
        .returning(*_NAMED)
    )


def _heads(of: Sequence[Line], *, claimed: bool = False) -> sa.Subquery:
    """Return the query for the first task of each line; for a claim, that nobody claims now."""
    heads = [
        sa.select(_TASK.c.priority, _TASK.c.id)
        .where(_TASK.c.kind == line.kind, _TASK.c.priority.between(line.first, line.last), _FREE)
        .order_by(_TASK.c.priority, _TASK.c.id)
        .limit(1)
        for line in of
    ]
    if claimed:
        heads = [head.with_for_update(skip_locked=True) for head in heads]
    return sa.union_all(*(sa.select(head.subquery()) for head in heads)).subquery()


_MINE = sa.bindparam("mine", type_=sa.String)
_UNDER_WAY = (
    sa.select(_TASK.c.id)
    .where(
        _URGENT,
        _TASK.c.asked_at.between(sa.bindparam("after"), sa.bindparam("before")),
        sa.or_(_FREE, sa.func.substr(_TASK.c.lease_owner, 1, sa.func.length(_MINE)) == _MINE),
    )
    .limit(1)
)
_REMOVE = sa.delete(_TASK).where(_TASK.c.lease_owner == sa.bindparam("owner")).returning(*_NAMED)


def _asked_again(asked: "sqlite.Insert | postgresql.Insert") -> "sqlite.Insert | postgresql.Insert":
    """Let a task that exists have a new version, and the higher of both priorities."""
    sooner = asked.excluded.priority < _TASK.c.priority
    return asked.on_conflict_do_update(
        index_elements=["kind", "key"],
        set_={
            "version": _TASK.c.version + 1,
            "priority": sa.case((sooner, asked.excluded.priority), else_=_TASK.c.priority),
            "asked_at": sa.case((sooner, asked.excluded.asked_at), else_=_TASK.c.asked_at),
        },
    )


_ENQUEUE = {
    "sqlite": _asked_again(sqlite.insert(_TASK)),
    "postgresql": _asked_again(postgresql.insert(_TASK)),
}
_CHANNEL = "pacs_ai_task"
_NOTIFY = sa.select(sa.func.pg_notify(_CHANNEL, sa.bindparam("kind")))


def prepare(_database: Database) -> None:
    """Make nothing: the table is part of the node's schema."""


def enqueue(
    transaction: Transaction, kind: TaskKind, key: str, priority: int = Priority.ROUTINE
) -> None:
    """Ask for a task in the caller's transaction; one that exists only gets a new version.

    It keeps the higher of both priorities.
    """
    dialect = transaction.get_bind().dialect.name
    values = {"kind": kind, "key": key, "version": 1, "priority": priority}
    transaction.execute(_ENQUEUE[dialect], {**values, "asked_at": transaction.now})
    if dialect == "postgresql":
        transaction.execute(_NOTIFY, {"kind": kind})


def notified(database: Database, stop: threading.Event) -> Iterator[Sequence[TaskKind]]:
    """Yield the kinds that any node asks for, from PostgreSQL, until `stop` is set.

    What is asked for while nobody listens is not told later, so the first are all kinds.

    Raises
    ------
    StorageError
        If the connection is lost.
    """
    with database.listening(_CHANNEL) as notices:
        yield tuple(TaskKind)
        for _, payload in notices:
            if stop.is_set():
                return
            if payload in tuple(TaskKind):
                yield (TaskKind(payload),)


def waiting(session: Session, kinds: Sequence[TaskKind], order: Order = Order.URGENT_FIRST) -> bool:
    """Tell whether there is anything to claim, without locking."""
    return session.execute(_waits(tuple(kinds), order)).first() is not None


def urgent(session: Session, node: str, after: datetime, before: datetime) -> bool:
    """Tell whether an urgent task waits, or a node performs it, that was asked for lately."""
    values = {"after": after, "before": before, "mine": f"{node}/"}
    return session.execute(_UNDER_WAY, values).first() is not None


def claim(
    transaction: Transaction,
    kinds: Sequence[TaskKind],
    lease_seconds: float,
    order: Order = Order.URGENT_FIRST,
) -> ClaimedTask | None:
    """Take the first task in an order that nobody holds."""
    owner = new_claim(transaction.actor)
    until = transaction.now + timedelta(seconds=lease_seconds)
    query = _claim_first(tuple(kinds), order)
    row = transaction.execute(query, {"owner": owner, "until": until}).first()
    if row is None:
        return None
    overtook = row.priority < Priority.LOW and _has_older(transaction, kinds, row)
    return ClaimedTask(owner, TaskKind(row.kind), row.key, row.version, row.priority, overtook)


def _has_older(session: Session, kinds: Sequence[TaskKind], row: sa.Row[Any]) -> bool:
    query = _overtaken(tuple(kinds), Priority(row.priority))
    return session.execute(query, {"than": row.id}).first() is not None


def renew(transaction: Transaction, task: ClaimedTask, lease_seconds: float) -> None:
    """Keep the lease alive while the task runs."""
    transaction.execute(
        sa.update(Task)
        .where(Task.lease_owner == task.claim)
        .values(lease_until=transaction.now + timedelta(seconds=lease_seconds))
    )


def finish(transaction: Transaction, task: ClaimedTask) -> None:
    """Remove a task that was done; one that was asked for meanwhile waits again, as the last."""
    for row in _removed(transaction, task.claim):
        if row.version != task.version:
            enqueue(transaction, row.kind, row.key, row.priority)


def held(session: Session) -> list[tuple[str, str, Hashable]]:
    """Return claim, owner and end of lease of all tasks that anyone holds."""
    query = sa.select(Task.lease_owner, Task.lease_until).where(Task.lease_owner.is_not(None))
    return [
        (claimed, owner_of(claimed), until)
        for claimed, until in session.execute(query)
        if claimed is not None
    ]


def take_back(transaction: Transaction, claimed: str, *, last: bool) -> None:
    """Free the task of a claim, in its old place or behind all others."""
    if not last:
        transaction.execute(sa.update(Task).where(Task.lease_owner == claimed).values(**NO_LEASE))
        return
    for row in _removed(transaction, claimed):
        enqueue(transaction, row.kind, row.key, row.priority)


def existing(session: Session, kind: TaskKind) -> set[str]:
    """Return the keys of all tasks of a kind, leased or not."""
    return set(session.scalars(sa.select(Task.key).where(Task.kind == kind)))


def lost(session: Session, kind: TaskKind, keys: Keys) -> list[str]:
    """Return those keys that have no task of a kind."""
    wanted = keys.subquery("wanted")
    (key,) = wanted.c
    has_one = sa.exists().where(_TASK.c.kind == kind, _TASK.c.key == key)
    return list(session.scalars(sa.select(key).where(~has_one)))


def _removed(transaction: Transaction, claimed: str) -> list[ClaimedTask]:
    """Delete the task of a claim; returns what it was, or nothing if others have it now."""
    rows = transaction.execute(_REMOVE, {"owner": claimed})
    return [
        ClaimedTask(claimed, TaskKind(row.kind), row.key, row.version, row.priority) for row in rows
    ]
