"""One worker or several: what is measured, and what follows from it."""

import os
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pacs_ai.config.sections import Engine
from pacs_ai.flow.context import FlowContext
from pacs_ai.node import child_process, worker_pool
from pacs_ai.node.app import App
from pacs_ai.node.forks import shares_models
from pacs_ai.node.worker_choice import several_pay
from pacs_ai.node.worker_pool import WorkerPool


@pytest.mark.parametrize(
    ("alone", "together", "whole", "several"),
    [
        (100, 190, 105, True),  # a small network: threads do not help it
        (14, 27, 26, False),  # a large one on two cores: nothing to gain
        (10, 75, 30, False),  # 2.5 x as many, and a single study takes 3 x as long
        (10, 78, 25, True),
        (100, 115, 100, False),  # no better than the measurement
    ],
)
def test_several_are_chosen_if_they_gain_more_than_a_single_study_loses(
    alone: float, together: float, whole: float, several: bool
) -> None:
    assert several_pay(alone, together, whole) is several


def test_models_are_shared_where_each_worker_has_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr("sys.platform", "linux")
    plain = Engine()
    assert shares_models(plain, 4)
    assert shares_models(plain, "auto")
    assert not shares_models(plain, 2)  # two threads each
    assert not shares_models(plain, 1)
    assert not shares_models(Engine(runtime="openvino"), 4)
    assert not shares_models(Engine(device="cuda:0"), 4)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert not shares_models(plain, "auto")
    monkeypatch.setattr("sys.platform", "darwin")
    assert not shares_models(plain, 4)


class Worker:
    """What the daemon sees of a worker: alive until it is told to end."""

    def __init__(self, name: str, settings: dict[str, Any]) -> None:
        self.owner, self.just_started, self.returncode = f"node/boot/{name}", False, None
        self.settings, self.process = settings, self

    def poll(self) -> int | None:
        return self.returncode

    def check(self, _seconds: float) -> None:
        return None

    def send_signal(self, _number: int) -> None:
        self.returncode = 0

    def close(self) -> None:
        pass


class Server:
    """A fork server that has measured when a test says so."""

    def __init__(self, _app: App, *, choose: bool) -> None:
        assert choose
        self.several = self.measured = self.stopped = False

    def start(self) -> None:
        pass

    def ready(self) -> bool:
        return self.measured

    def launch(self, descriptors: Sequence[int]) -> None:
        raise AssertionError(descriptors)

    def stop(self) -> None:
        self.stopped = True


@pytest.mark.parametrize("several", [True, False])
def test_one_works_until_the_measurement_is_done(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    started: list[tuple[Worker, object]] = []
    servers: list[Server] = []

    def start(_app: App, launch: object, name: str, **settings: Any) -> Worker:
        started.append((Worker(name, settings), launch))
        return started[-1][0]

    def server(app: App, *, choose: bool) -> Server:
        servers.append(Server(app, choose=choose))
        return servers[-1]

    monkeypatch.setattr(child_process, "start", start)
    monkeypatch.setattr(worker_pool, "ForkServer", server)
    monkeypatch.setattr(worker_pool, "shares_models", lambda *_: True)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    pool = WorkerPool(cast("App", SimpleNamespace(context=context, bundles={})), "auto")
    pool.start()
    pool.supervise()
    assert [one.settings["of"] for one, _ in started] == [1]
    servers[0].measured, servers[0].several = True, several
    pool.supervise()
    pool.supervise()
    first, *others = started
    assert (first[0].returncode is not None) is several
    assert [one.settings["of"] for one, _ in others] == [3] * (3 if several else 0)
    assert all(launch == servers[0].launch for _, launch in others)
    assert servers[0].stopped is not several
