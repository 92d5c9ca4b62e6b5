"""Claims from a queue in which many tasks wait and many are done, beside an empty one."""

import hashlib
import statistics
import time
import uuid
from dataclasses import dataclass

import sqlalchemy as sa

from pacs_ai.clock import SystemClock
from pacs_ai.domain import JobId, JobState, TaskKind
from pacs_ai.engine.choose import task_table
from pacs_ai.priorities import Priority
from pacs_ai.store import jobs
from pacs_ai.store.session import Database
from tests.bench.queues import LEASE_SECONDS, Queue
from tests.bench.simulated import add_jobs
from tests.many_rows import analyze, job_id

OWN = ("the next analysis", TaskKind.ANALYSE, Priority.ROUTINE)
URGENT = ("an urgent analysis", TaskKind.ANALYSE, Priority.URGENT)
OTHER = ("a delivery", TaskKind.DELIVER, Priority.ROUTINE)
CASES = (OWN, URGENT, OTHER)


@dataclass(frozen=True)
class Depth:
    """Milliseconds of a claim: median and the slowest of twenty."""

    median: float
    high: float


def fill_deep(queue: Queue, database: Database, waiting: int, finished: int) -> None:
    """Let so many analyses wait, and so many be done.

    What is done has its row of `Job`; its task was there and is deleted, as the node leaves it.
    """
    add_jobs(database, finished, JobState.SUCCEEDED)
    add_jobs(database, waiting, JobState.QUEUED, finished + 1)
    queue.fill(database, waiting + finished, key=job_id())
    table = sa.table(queue.table, sa.column("id"))
    oldest = sa.select(sa.func.min(table.c.id)).scalar_subquery()  # first in the indexes
    with database.engine.begin() as connection:
        connection.execute(sa.delete(table).where(table.c.id < oldest + finished))
    analyze(database, queue.table, "job", "study")


def fill_flat(queue: Queue, database: Database, count: int) -> None:
    """Let nothing wait, beside studies with so many jobs that `claims` asks for one by one."""
    add_jobs(database, count, JobState.QUEUED)
    queue.fill(database, 0)
    analyze(database, "job", "study")


def claims(
    queue: Queue, flat: Database, deep: Database, rounds: int
) -> dict[str, tuple[Depth, Depth]]:
    """Measure claims of each case by turns, in a queue that is empty and in a deep one."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name, *_ in CASES}
    for number in range(1, rounds + 1):
        for name, kind, priority in CASES:
            key = _job(number) if kind is TaskKind.ANALYSE else f"delivery {number}"
            flat_key = key if name == OWN[0] else f"{name} {number}"
            for place, (database, asked) in enumerate(
                ((flat, flat_key), (deep, f"{name} {number}"))
            ):
                found[name][place].append(_claim(queue, database, kind, priority, asked))
    return {name: (_depth(first), _depth(second)) for name, (first, second) in found.items()}


def _job(number: int) -> str:
    """Return the id that `pacs_ai` rows of this number have (`tests.many_rows.job_id`)."""
    digest = hashlib.md5(f"job{number}".encode(), usedforsecurity=False).hexdigest()
    return str(uuid.UUID(digest))


def _claim(queue: Queue, database: Database, kind: TaskKind, priority: Priority, key: str) -> float:
    """Ask for a task, then measure how long the first one takes to be claimed, with its job."""
    assert queue.engine
    tasks, clock = task_table(queue.engine), SystemClock()
    with database.write("bench/boot/1", clock.now(), durable=False) as transaction:
        tasks.enqueue(transaction, kind, key, priority)
    begin = time.monotonic()
    with database.read() as session:
        assert tasks.waiting(session, (kind,))
    with database.write("bench/boot/1", clock.now(), durable=False) as transaction:
        task = tasks.claim(transaction, (kind,), LEASE_SECONDS)
    assert task is not None
    with database.write("bench/boot/1", clock.now(), durable=False) as transaction:
        lease = jobs.claim(transaction, JobId(task.key), LEASE_SECONDS)
    seconds = time.monotonic() - begin
    assert kind is not TaskKind.ANALYSE or priority is Priority.URGENT or lease is not None
    with database.write("bench/boot/1", clock.now(), durable=False) as transaction:
        tasks.finish(transaction, task)
    return 1000 * seconds


def _depth(measured: list[float]) -> Depth:
    ordered = sorted(measured)
    return Depth(statistics.median(ordered), ordered[int(0.95 * len(ordered))])
