"""Every engine on every database that it can have."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pacs_ai.clock import Clock, ManualClock
from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import Engine, HeldTask
from pacs_ai.engine.choose import EngineKind, task_table
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.priorities import Priority
from pacs_ai.store.session import Database, Transaction
from tests.databases import new_database, with_schema
from tests.memory_engine import MemoryEngine, Tasks
from tests.unit.store.samples import NOW

ROUTES = (TaskKind.ROUTE,)


@dataclass
class Engines:
    """The workers of one queue, and the database of the rows that its tasks are about."""

    database: Database
    make: Callable[[str, float, Clock], Engine]
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))

    def of(
        self,
        owner: str = "node/boot/1",
        lease_seconds: float = 60,
        clock: Clock | None = None,
    ) -> Engine:
        return self.make(owner, lease_seconds, clock or self.clock)

    def enqueue(
        self,
        *keys: str,
        kind: TaskKind = TaskKind.ROUTE,
        priority: Priority = Priority.ROUTINE,
    ) -> None:
        with self.database.write("test", self.clock.now()) as transaction:
            for key in keys:
                self.of().enqueue(transaction, kind, key, priority)

    def existing(self, kind: TaskKind = TaskKind.ROUTE) -> set[str]:
        with self.database.read() as session:
            return self.of().existing(session, kind)

    def held(self) -> list[HeldTask]:
        with self.database.read() as session:
            return self.of().held(session)

    def take_back(self, held: HeldTask, *, last: bool = True) -> None:
        with self.database.write("test", NOW) as transaction:
            self.of().take_back(transaction, held, last=last)

    def roll_back(self, change: Callable[[Transaction], None]) -> None:
        """Do something in a transaction that does not commit."""
        with (
            contextlib.suppress(ZeroDivisionError),
            self.database.write("test", NOW) as transaction,
        ):
            change(transaction)
            raise ZeroDivisionError

    def drained(self, owner: str = "node/boot/1") -> list[str]:
        """The keys of all tasks that wait, in the order in which they are performed."""
        done: list[str] = []
        assert self.of(owner).drain(lambda _kind, key: done.append(key), ROUTES) == len(done)
        return done

    @contextlib.contextmanager
    def frozen(
        self, owner: str, kinds: Sequence[TaskKind] = ROUTES
    ) -> Iterator[Callable[[], None]]:
        """A worker that holds a task, the only one, until the function is called or the end."""
        goes_on, holds = threading.Event(), threading.Event()

        def perform(_kind: TaskKind, _key: str) -> None:
            holds.set()
            goes_on.wait()

        stop = threading.Event()
        thread = threading.Thread(target=self.of(owner, 6000).run, args=(perform, kinds, stop))

        def finish() -> None:
            stop.set()
            goes_on.set()
            thread.join()

        thread.start()
        try:
            assert holds.wait(30)
            yield finish
        finally:
            finish()


@pytest.fixture(params=["local on SQLite", "local on PostgreSQL", "procrastinate", "in memory"])
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engines]:
    if request.param in ("local on PostgreSQL", "procrastinate"):
        database = with_schema(request.getfixturevalue("postgres"))
    else:
        database = new_database(tmp_path)
    kind: EngineKind = "procrastinate" if request.param == "procrastinate" else "local"
    table = task_table(kind)
    table.prepare(database)
    remembered = Tasks()

    def make(owner: str, lease_seconds: float, clock: Clock) -> Engine:
        if request.param == "in memory":
            return MemoryEngine(remembered, owner, lease_seconds, clock)
        return TableEngine(table, database, clock, owner, lease_seconds)

    yield Engines(database, make)
    database.close()
