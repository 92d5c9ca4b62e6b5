"""Tasks of the local engine: rows that wake a worker. They are hints; other rows are the truth.

Only `pacs_ai.engine.local` may use this module: the flow has to work with any engine.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.domain import TaskKind
from pacs_ai.store.columns import WORD, Base
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import NO_LEASE


class Task(Base):
    """A reason to wake a worker now.

    ``version`` grows when the same task is asked for again. ``lease_owner`` names the worker and
    its claim, ``node/boot/process/claim``: a worker that was frozen and comes back late changes
    nothing of a task that somebody else has claimed since.
    """

    __tablename__ = "task"
    __table_args__ = (sa.UniqueConstraint("kind", "key"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(WORD)
    key: Mapped[str] = mapped_column(sa.String(128))
    version: Mapped[int] = mapped_column(default=1)
    lease_owner: Mapped[str | None] = mapped_column(sa.String(128))
    lease_until: Mapped[datetime | None]


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task under lease; ``claim`` is what its ``lease_owner`` says."""

    claim: str
    kind: TaskKind
    key: str
    version: int


def enqueue(session: Session, kind: TaskKind, key: str) -> None:
    """Ask for a task in the caller's transaction; one that exists only gets a new version."""
    into: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    insert = into[session.get_bind().dialect.name](Task).values(kind=kind, key=key, version=1)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=[Task.kind, Task.key], set_={"version": Task.version + 1}
        )
    )


def waiting(session: Session, kinds: Sequence[TaskKind]) -> bool:
    """Tell whether there is anything to claim, without locking."""
    query = sa.select(Task.id).where(Task.kind.in_(kinds), Task.lease_owner.is_(None)).limit(1)
    return session.scalar(query) is not None


def claim(
    transaction: Transaction, kinds: Sequence[TaskKind], lease_seconds: float
) -> ClaimedTask | None:
    """Take the oldest task that nobody holds."""
    row = transaction.execute(
        sa.select(Task.id, Task.kind, Task.key, Task.version)
        .where(Task.kind.in_(kinds), Task.lease_owner.is_(None))
        .order_by(Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    task = ClaimedTask(
        f"{transaction.actor}/{secrets.token_hex(4)}", TaskKind(row.kind), row.key, row.version
    )
    transaction.execute(
        sa.update(Task)
        .where(Task.id == row.id)
        .values(
            lease_owner=task.claim, lease_until=transaction.now + timedelta(seconds=lease_seconds)
        )
    )
    return task


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
            enqueue(transaction, row.kind, row.key)


def held(session: Session) -> list[tuple[str, str, datetime | None]]:
    """Return claim, owner and end of lease of all tasks that anyone holds."""
    query = sa.select(Task.lease_owner, Task.lease_until).where(Task.lease_owner.is_not(None))
    return [
        (claimed, claimed.rpartition("/")[0], until)
        for claimed, until in session.execute(query)
        if claimed is not None
    ]


def take_back(transaction: Transaction, claimed: str, *, last: bool) -> None:
    """Free the task of a claim, in its old place or behind all others."""
    if not last:
        transaction.execute(sa.update(Task).where(Task.lease_owner == claimed).values(**NO_LEASE))
        return
    for row in _removed(transaction, claimed):
        enqueue(transaction, row.kind, row.key)


def existing(session: Session, kind: TaskKind) -> set[str]:
    """Return the keys of all tasks of a kind, leased or not."""
    return set(session.scalars(sa.select(Task.key).where(Task.kind == kind)))


def _removed(transaction: Transaction, claimed: str) -> list[ClaimedTask]:
    """Delete the task of a claim; returns what it was, or nothing if others have it now."""
    gone = sa.delete(Task).where(Task.lease_owner == claimed)
    rows = transaction.execute(gone.returning(Task.kind, Task.key, Task.version))
    return [ClaimedTask(claimed, TaskKind(kind), key, version) for kind, key, version in rows]
