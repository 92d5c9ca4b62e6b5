"""Analyses that only wait: what more workers bring where the processor is not what bounds them.

A job is claimed and finished as `pacs_ai.flow.analyse` does it, with its rows and its lines of the
audit trail. In place of the analysis the process waits.
"""

import contextlib
import os
import threading

import sqlalchemy as sa

from pacs_ai.clock import SystemClock, pause
from pacs_ai.domain import JobId, JobState, TaskKind
from pacs_ai.store import jobs
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Database
from tests.bench.many_workers import done_by
from tests.bench.queues import KINDS, LEASE_SECONDS, WARM_SECONDS, Queue, Ready, Span, engine
from tests.many_rows import add_rows, analyze, empty, job_id

WAIT_SECONDS = 0.25
WORKERS = (1, 2, 4, 8, 16, 32)


def add_jobs(database: Database, count: int, state: JobState, begin: int = 1) -> None:
    """Add studies with a job each."""
    tables, first = Study.metadata.tables, {"revision": "1", "correction": "0"}
    add_rows(database, tables[Study.__tablename__], count, begin, state="'ROUTED'", **first)
    add_rows(database, tables[Job.__tablename__], count, begin, state=f"'{state}'", **first)


def studies_a_second(queue: Queue, url: str, workers: int, seconds: float) -> float:
    """Return how many studies so many workers analyse in a second."""
    database = Database(url)
    count = int(1.2 * workers * (WARM_SECONDS + seconds) / WAIT_SECONDS) + 10
    with contextlib.closing(database):
        empty(database, {"study": Study.metadata.tables["study"]})
        add_jobs(database, count, JobState.QUEUED)
        queue.fill(database, count, key=job_id())
        analyze(database, "study", "job")
    return done_by(workers, lambda ready: _work(queue, url, seconds, ready)) / seconds


def _work(queue: Queue, url: str, seconds: float, ready: Ready) -> int:
    database, stop, done = Database(url), threading.Event(), 0
    owner, clock = f"bench/boot/{os.getpid()}", SystemClock()

    def perform(_kind: TaskKind, key: str) -> None:
        nonlocal done
        with database.write(owner, clock.now()) as transaction:
            lease = jobs.claim(transaction, JobId(key), LEASE_SECONDS)
        if lease is None:  # the engine would log it and go on
            stop.set()
            return
        pause(WAIT_SECONDS)
        with database.write(owner, clock.now()) as transaction:
            jobs.succeed(transaction, lease, [], "nothing found")
        done += span.counts()
        if span.over():
            stop.set()

    with contextlib.closing(database):
        with database.read() as session:
            session.execute(sa.text("SELECT 1"))
        span = Span(ready, seconds)
        engine(queue, database).run(perform, KINDS, stop)
    return done
