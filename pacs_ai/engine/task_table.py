"""What a table of tasks offers to the engine: functions on rows, each in a transaction.

A module is one: `pacs_ai.store.tasks` and `pacs_ai.store.procrastinate_jobs`.
"""

import threading
from collections.abc import Hashable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Order, Priority
from pacs_ai.store.claimed_task import ClaimedTask, Keys
from pacs_ai.store.session import Database, Session, Transaction

__all__ = ["ClaimedTask", "TaskTable"]


class TaskTable(Protocol):
    """Tasks as rows: a row waits, or a claim holds it until it is finished or taken back."""

    def prepare(self, database: Database) -> None:
        """Make what the table needs beside the schema of the node.

        Raises
        ------
        ConfigError
            If what is there does not fit, or the database is not one that the table can be in.
        """
        ...

    def enqueue(
        self,
        transaction: Transaction,
        kind: TaskKind,
        key: str,
        priority: Priority = Priority.ROUTINE,
    ) -> None:
        """Ask for a task in the caller's transaction; one that waits is not added again.

        It keeps the higher of both priorities.
        """
        ...

    def notified(self, database: Database, stop: threading.Event) -> Iterator[Sequence[TaskKind]]:
        """Yield the kinds that any node asks for, from PostgreSQL, until `stop` is set.

        What is asked for while nobody listens is not told later, so the first are all kinds.

        Raises
        ------
        StorageError
            If the connection is lost.
        """
        ...

    def waiting(
        self, session: Session, kinds: Sequence[TaskKind], order: Order = Order.URGENT_FIRST
    ) -> bool:
        """Tell whether there is anything to claim, without locking."""
        ...

    def urgent(self, session: Session, node: str, after: datetime, before: datetime) -> bool:
        """Tell whether an urgent task waits, or a node performs it, that was asked for lately.

        Parameters
        ----------
        node
            What other nodes perform does not count.
        after, before
            When it was asked for; a date far ahead was written before the clock was set back.
        """
        ...

    def claim(
        self,
        transaction: Transaction,
        kinds: Sequence[TaskKind],
        lease_seconds: float,
        order: Order = Order.URGENT_FIRST,
    ) -> ClaimedTask | None:
        """Take the first task in an order that nobody holds."""
        ...

    def renew(self, transaction: Transaction, task: ClaimedTask, lease_seconds: float) -> None:
        """Give a sign of life of a task that is performed."""
        ...

    def finish(self, transaction: Transaction, task: ClaimedTask) -> None:
        """Remove a task that was done; one that was asked for meanwhile waits again, as the last.

        It changes nothing if others have the task now.
        """
        ...

    def held(self, session: Session) -> list[tuple[str, str, Hashable]]:
        """Return claim, owner and sign of life of all tasks that anyone holds."""
        ...

    def take_back(self, transaction: Transaction, claimed: str, *, last: bool) -> None:
        """Free the task of a claim, in its old place or behind all others."""
        ...

    def existing(self, session: Session, kind: TaskKind) -> set[str]:
        """Return the keys of all tasks of a kind, held or not."""
        ...

    def lost(self, session: Session, kind: TaskKind, keys: Keys) -> list[str]:
        """Return those of the selected keys that have no task of a kind."""
        ...
