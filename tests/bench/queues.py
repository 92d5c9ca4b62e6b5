"""The queues that are compared: the node's two, Procrastinate alone, and a bare table.

Each has a database of its own in one server of PostgreSQL. All commit without a wait for the disk
(``synchronous_commit = off``), as the node does for tasks, which are hints.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import procrastinate
import psycopg
import sqlalchemy as sa

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.engine.choose import EngineKind, task_table
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.priorities import Priority
from pacs_ai.store.migrate import upgrade
from pacs_ai.store.session import Database
from tests.many_rows import analyze

KINDS = (TaskKind.ANALYSE,)
LEASE_SECONDS = 30.0
WARM_SECONDS = 1.0
"""Work that does not count: a process prepares each statement once."""

NO_WAIT = "-c synchronous_commit=off"

BARE_TABLE = """
CREATE TABLE bare (id bigserial PRIMARY KEY, taken boolean NOT NULL DEFAULT false);
CREATE INDEX bare_waiting ON bare (id) WHERE NOT taken;
"""
BARE_CLAIM = """
UPDATE bare SET taken = true WHERE id = (
    SELECT id FROM bare WHERE NOT taken ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
"""

TASKS = """
INSERT INTO task (kind, key, version, priority)
SELECT '{kind}', {key}, 1, {priority} FROM generate_series(1, {count}) AS one
"""
JOBS = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
SELECT '{kind}', 'pacs_ai.{kind}', -{priority}, 'pacs_ai/{kind}/' || {key},
       'pacs_ai/{kind}/' || {key}, jsonb_build_object('key', {key})
FROM generate_series(1, {count}) AS one
"""
PLAIN_JOBS = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
SELECT '{kind}', 'bench.nothing', '{{}}' FROM generate_series(1, {count})
"""
BARE_ROWS = "INSERT INTO bare (taken) SELECT false FROM generate_series(1, {count})"

Ready = Callable[[], None]
"""Waits until all workers are ready."""


class Span:
    """The seconds that count, of one process: they begin once all are warm."""

    def __init__(self, ready: Ready, seconds: float) -> None:
        ready()
        self._begin = time.monotonic() + WARM_SECONDS
        self._end = self._begin + seconds

    def counts(self) -> bool:
        return self._begin <= time.monotonic() < self._end

    def over(self) -> bool:
        return time.monotonic() >= self._end


@dataclass(frozen=True)
class Queue:
    """One of them.

    Parameters
    ----------
    table
        Where its tasks are.
    rows
        Statement that adds as many as ``count`` says.
    engine
        What the node calls it; "" for one that is not the node's.
    work
        Claims and finishes tasks for some seconds in this process; returns how many.
    count
        How many to add for a second of work: more than
        are done.
    """

    name: str
    table: str
    rows: str
    prepare: Callable[[Database], None]
    work: Callable[[str, float, Ready], int]
    engine: EngineKind | Literal[""] = ""
    count: int = 3000

    def fill(
        self,
        database: Database,
        count: int,
        kind: str = TaskKind.ANALYSE,
        key: str = "'key ' || one",
        priority: int = Priority.ROUTINE,
        *,
        more: bool = False,
    ) -> None:
        """Leave so many tasks that wait, and no others unless ``more`` is set.

        ``key`` is SQL with the number ``one``.
        """
        rows = self.rows.format(count=count, kind=kind, key=key, priority=int(priority))
        with database.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            if not more:
                connection.exec_driver_sql(f"TRUNCATE {self.table} CASCADE")
            connection.exec_driver_sql(rows)
        analyze(database, self.table)


def engine(queue: Queue, database: Database) -> TableEngine:
    """The engine of a node, as one of its processes has it."""
    assert queue.engine
    owner = f"bench/boot/{os.getpid()}"
    return TableEngine(task_table(queue.engine), database, SystemClock(), owner, LEASE_SECONDS)


def node_queue(name: str, kind: EngineKind) -> Queue:
    """What the engine of the node does with one of its two tables."""

    def prepare(database: Database) -> None:
        upgrade(database)
        task_table(kind).prepare(database)

    def work(url: str, seconds: float, ready: Ready) -> int:
        database, stop, done = Database(url), threading.Event(), 0
        with contextlib.closing(database):
            with database.read() as session:
                session.execute(sa.text("SELECT 1"))
            span = Span(ready, seconds)

            def perform(_kind: TaskKind, _key: str) -> None:
                nonlocal done
                done += span.counts()
                if span.over():
                    stop.set()

            engine(queue, database).run(perform, KINDS, stop)
        return done

    table, rows = ("task", TASKS) if kind == "local" else ("procrastinate_jobs", JOBS)
    queue = Queue(name, table, rows, prepare, work, kind)
    return queue


def _plain(url: str) -> str:
    """Return the URL as psycopg takes it."""
    return url.replace("+psycopg", "")


def _work_alone(url: str, seconds: float, ready: Ready) -> int:
    """Let Procrastinate's own worker perform tasks that do nothing."""
    done, span = 0, Span(lambda: None, 0)
    connector = procrastinate.PsycopgConnector(
        conninfo=_plain(url), min_size=2, max_size=4, kwargs={"options": NO_WAIT}
    )
    app = procrastinate.App(connector=connector)

    async def nothing() -> None:
        nonlocal done
        done += span.counts()

    app.task(name="bench.nothing")(nothing)

    async def run() -> None:
        nonlocal span
        async with app.open_async():
            span = Span(ready, seconds)
            worker = app.run_worker_async(
                queues=[TaskKind.ANALYSE.value],
                concurrency=1,
                delete_jobs="always",
                listen_notify=False,
                install_signal_handlers=False,
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker, WARM_SECONDS + seconds)

    asyncio.run(run())
    return done


def _work_bare(url: str, seconds: float, ready: Ready) -> int:
    """Finish a task and claim the next one in each transaction, with nothing around it."""
    done, last = 0, None
    with psycopg.connect(_plain(url), options=NO_WAIT) as connection:
        span = Span(ready, seconds)
        while not span.over():
            with connection.transaction():
                connection.execute("DELETE FROM bare WHERE id = %s", (last,))
                row = connection.execute(BARE_CLAIM).fetchone()
            if row is None:
                break
            last, done = row[0], done + span.counts()
    return done


def _prepare_alone(database: Database) -> None:
    task_table("procrastinate").prepare(database)


def _prepare_bare(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(BARE_TABLE)


LOCAL = node_queue("pacs-ai, its own table", "local")
CLUSTER = node_queue("pacs-ai, Procrastinate's table", "procrastinate")
ALONE = Queue(
    "Procrastinate's own worker", "procrastinate_jobs", PLAIN_JOBS, _prepare_alone, _work_alone
)
BARE = Queue("bare table, SKIP LOCKED", "bare", BARE_ROWS, _prepare_bare, _work_bare, "", 8_000)
QUEUES = (LOCAL, CLUSTER, ALONE, BARE)
