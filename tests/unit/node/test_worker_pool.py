"""Workers are replaced whatever else is out of order."""

import contextlib
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.node import child_process, worker_pool
from pacs_ai.node.app import App
from pacs_ai.node.worker_pool import WorkerPool


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


def test_one_that_dies_while_the_database_is_out_of_reach(
    context: FlowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Process] = []

    def start(_app: App, _module: str, name: str, **_more: object) -> Process:
        started.append(Process(name))
        return started[-1]

    monkeypatch.setattr(child_process, "start", start)
    monkeypatch.setattr(worker_pool, "shares_models", lambda *_: False)
    app = cast("App", SimpleNamespace(context=context, bundles={}))
    pool = WorkerPool(app, 2)
    pool.start()
    started[0].returncode = 1
    locked: Any = sqlite3.connect(tmp_path / "pacs-ai.db", isolation_level=None)
    locked.execute("BEGIN EXCLUSIVE")
    with contextlib.suppress(StorageError):  # the look at what is overdue comes again
        pool.supervise()
    locked.execute("COMMIT")
    locked.close()
    pool.supervise()
    assert [one.owner.rpartition("/")[2] for one in started] == ["worker-1", "worker-2", "worker-3"]
