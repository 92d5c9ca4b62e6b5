"""Workers are replaced whatever else is out of order."""

import contextlib
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pacs_ai.config import Config
from pacs_ai.domain import JobState
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import begin_with, node_of, reload_rules
from pacs_ai.node import child_process, worker_pool
from pacs_ai.node.app import App
from pacs_ai.node.worker_pool import UrgentWorkerPool, WorkerPool, worker_pools
from pacs_ai.store import jobs
from pacs_ai.store.schema import Job
from tests.unit.store.samples import routed_job


class Process:
    """What the daemon sees of a worker: alive, or ended with 1."""

    def __init__(self, name: str) -> None:
        self.settings: dict[str, object] = {}
        self.owner, self.just_started, self.returncode = f"node/boot/{name}", False, 0
        self.process, self.signals = self, list[int]()

    def poll(self) -> int | None:
        return self.returncode or None

    def check(self, _seconds: float) -> None:
        return None

    def close(self) -> None:
        pass

    def kill(self) -> None:
        self.returncode = -9

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The workers in the order in which they were started."""
    workers: list[Process] = []

    def start(_app: App, _module: str, name: str, **settings: object) -> Process:
        workers.append(Process(name))
        workers[-1].settings = settings
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


URGENT: dict[str, Any] = {"urgent": {"CallingAET": "ER"}}


def with_routing(config: Config, routing: dict[str, Any]) -> Config:
    return Config.model_validate({**config.model_dump(mode="json"), "routing": routing})


def test_a_worker_is_free_for_urgent_studies_while_the_rules_have_any(
    context: FlowContext, started: list[Process]
) -> None:
    begin_with(context)
    app = cast("App", SimpleNamespace(context=context, bundles={}))
    pool = UrgentWorkerPool(app, WorkerPool(app, 2))
    pool.start()
    pool.supervise()
    assert started == []
    reload_rules(context, node_of(context), lambda: with_routing(context.config, URGENT))
    for _ in range(2):
        pool.supervise()
    [worker] = started
    assert (worker.settings["urgent_only"], worker.settings["of"]) == (True, 2)
    worker.returncode = -9
    pool.supervise()
    assert len(started) == 2
    reload_rules(context, node_of(context), lambda: with_routing(context.config, {}))
    pool.supervise()
    assert started[1].signals == [signal.SIGTERM]
    started[1].returncode = 1
    pool.supervise()
    assert len(started) == 2


def test_it_has_as_many_threads_as_the_others(context: FlowContext, started: list[Process]) -> None:
    context = replace(context, config=with_routing(context.config, URGENT))
    app = cast("App", SimpleNamespace(context=context, bundles={}))
    others = WorkerPool(app, 1)
    pool = UrgentWorkerPool(app, others)
    pool.supervise()
    others.resize(4)
    pool.supervise()
    assert [one.settings["of"] for one in started] == [1, 4]
    assert [one.signals for one in started] == [[signal.SIGTERM], []]


@pytest.mark.parametrize(
    ("engine", "workers", "pools"),
    [
        ({}, 1, ["workers", "urgent"]),
        ({"urgent_worker": False}, 1, ["workers"]),
        ({}, 0, []),
    ],
)
def test_a_node_has_the_pools_that_it_is_told_to_have(
    context: FlowContext, engine: dict[str, Any], workers: int, pools: list[str]
) -> None:
    settings = context.config.engine.model_copy(update=engine)
    config = context.config.model_copy(update={"engine": settings})
    app = cast("App", SimpleNamespace(context=replace(context, config=config), bundles={}))
    assert list(worker_pools(app, workers)) == pools


def devices(started: list[Process]) -> list[str]:
    return [cast("Any", one.settings["config"])["engine"]["device"] for one in started]


@pytest.mark.parametrize(("workers", "each"), [(1, 1), (2, 2), ("auto", 1)])
def test_each_gpu_has_its_workers_and_one_that_dies_is_replaced_there(
    context: FlowContext, started: list[Process], workers: Any, each: int
) -> None:
    gpus = ("cuda:0", "cuda:1")
    engine = context.config.engine.model_copy(update={"device": gpus})
    config = context.config.model_copy(update={"engine": engine})
    app = cast("App", SimpleNamespace(context=replace(context, config=config), bundles={}))
    pool = worker_pools(app, workers)["workers"]
    pool.start()
    assert devices(started) == [*gpus] * each
    assert {one.settings["of"] for one in started} == {2 * each}
    started[1].returncode = -9
    pool.supervise()
    assert devices(started)[2 * each :] == ["cuda:1"]
