"""Workers are replaced whatever else is out of order."""

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pacs_ai.domain import JobState
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.node import child_process, worker_pool
from pacs_ai.node.app import App
from pacs_ai.node.worker_pool import WorkerPool
from pacs_ai.store import jobs
from pacs_ai.store.schema import Job
from tests.unit.store.samples import routed_job


class Process:
    """What the daemon sees of a worker: alive, or ended with 1."""

    def __init__(self, name: str) -> None:
        self.owner, self.just_started, self.returncode = f"node/boot/{name}", False, 0
        self.process = self

    def poll(self) -> int | None:
        return self.returncode or None

    def check(self, _seconds: float) -> None:
        return None

    def close(self) -> None:
        pass

    def kill(self) -> None:
        self.returncode = -9


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The workers in the order in which they were started."""
    workers: list[Process] = []

    def start(_app: App, _module: str, name: str, **_more: object) -> Process:
        workers.append(Process(name))
        return workers[-1]

    monkeypatch.setattr(child_process, "start", start)
    monkeypatch.setattr(worker_pool, "shares_models", lambda *_: False)
    return workers


def pool_of(context: FlowContext, size: int) -> WorkerPool:
    pool = WorkerPool(cast("App", SimpleNamespace(context=context, bundles={})), size)
    pool.start()
    return pool


def test_one_that_dies_while_the_database_is_out_of_reach(
    context: FlowContext, tmp_path: Path, started: list[Process]
) -> None:
    pool = pool_of(context, 2)
    started[0].returncode = 1
    locked: Any = sqlite3.connect(tmp_path / "pacs-ai.db", isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    with contextlib.suppress(StorageError):  # the look at what is overdue comes again
        pool.supervise()
    locked.execute("COMMIT")
    locked.close()
    pool.supervise()
    assert [one.owner.rpartition("/")[2] for one in started] == ["worker-1", "worker-2", "worker-3"]


def test_what_takes_too_long_is_tried_again_and_then_names_the_limit(
    context: FlowContext, started: list[Process]
) -> None:
    limits = context.config.engine.model_copy(update={"job_timeout_seconds": 0})
    config = context.config.model_copy(update={"engine": limits})
    context = replace(context, config=config)
    pool = pool_of(context, 1)
    with context.write() as transaction:
        _, job_id = routed_job(transaction)
    ends = []
    for number in range(2):
        with context.write(started[number].owner) as transaction:
            assert jobs.claim(transaction, job_id, 60) is not None
        for _ in range(3):  # it sees the job, ends its worker, and replaces it
            pool.supervise()
        with context.database.read() as session:
            job = session.get_one(Job, job_id)
        ends.append((job.state, job.error_code))
    assert ends == [(JobState.QUEUED, ""), (JobState.FAILED, "JOB_TIMEOUT")]
    assert (job.worker_crashes, len(started)) == (0, 3)
