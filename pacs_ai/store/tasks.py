"""Tasks of the local engine: what wakes a worker. A row here is a hint, never the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import TaskKind
from pacs_ai.store.schema import Task


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task under lease."""

    id: int
    kind: TaskKind
    key: str
    version: int


def enqueue(session: Session, kind: TaskKind, key: str) -> None:
    """Ask for a task in the caller's transaction; once is enough, and once more while it runs."""
    task = session.scalar(
        sa.select(Task).where(Task.kind == kind, Task.key == key).with_for_update()
    )
    if task is None:
        session.add(Task(kind=kind, key=key, version=1))
        session.flush()
    else:
        task.version += 1


def waiting(session: Session, kinds: Sequence[TaskKind]) -> bool:
    """Tell whether there is anything to claim, without locking."""
    query = sa.select(Task.id).where(Task.kind.in_(kinds), Task.lease_owner.is_(None)).limit(1)
    return session.scalar(query) is not None


def claim(
    session: Session, kinds: Sequence[TaskKind], owner: str, lease_seconds: float, now: datetime
) -> ClaimedTask | None:
    """Take the oldest task that nobody holds."""
    task = session.scalar(
        sa.select(Task)
        .where(Task.kind.in_(kinds), Task.lease_owner.is_(None))
        .order_by(Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if task is None:
        return None
    task.lease_owner = owner
    task.lease_until = now + timedelta(seconds=lease_seconds)
    return ClaimedTask(task.id, TaskKind(task.kind), task.key, task.version)


def renew(session: Session, task: ClaimedTask, lease_seconds: float, now: datetime) -> None:
    """Keep the lease alive while the task runs."""
    session.execute(
        sa.update(Task)
        .where(Task.id == task.id)
        .values(lease_until=now + timedelta(seconds=lease_seconds))
    )


def finish(session: Session, task: ClaimedTask) -> None:
    """Remove a task that was done, unless it was asked for again meanwhile."""
    session.execute(sa.delete(Task).where(Task.id == task.id, Task.version == task.version))
    release(session, task)


def release(session: Session, task: ClaimedTask) -> None:
    """Let others have a task that was not done."""
    session.execute(
        sa.update(Task).where(Task.id == task.id).values(lease_owner=None, lease_until=None)
    )


def existing(session: Session, kind: TaskKind) -> set[str]:
    """Return the keys of all tasks of a kind, leased or not."""
    return set(session.scalars(sa.select(Task.key).where(Task.kind == kind)))
