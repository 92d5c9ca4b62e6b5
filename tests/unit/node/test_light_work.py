"""The threads that deliver follow the configuration that is in force."""

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import begin_with, node_of, reload_rules
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.node.app import App, Share, light_work
from pacs_ai.node.light_work import LightWork

PEER = {"kind": "folder"}


def with_peers(config: Config, **concurrency: int) -> Config:
    peers: dict[str, Any] = {
        name: {**PEER, "path": str(config.storage.spool.parent / name), "concurrency": number}
        for name, number in concurrency.items()
    }
    return Config.model_validate({**config.model_dump(mode="json"), "peers": peers})


@pytest.fixture
def app(context: FlowContext) -> App:
    context = replace(context, config=with_peers(context.config, first=1))
    return App(context, {}, Arrivals(), TrafficMeter(context.spool, "daemon"))


@pytest.mark.parametrize(
    ("peers", "more"), [({"first": 3}, 2), ({"first": 1, "second": 2}, 2), ({}, 0)]
)
def test_a_reload_brings_the_threads_that_it_asks_for(
    app: App, peers: dict[str, int], more: int
) -> None:
    context = app.context
    begin_with(context)
    stop = threading.Event()
    work = LightWork(app, stop)
    work.start()
    before = len(work._threads)
    reload_rules(context, node_of(context), lambda: with_peers(context.config, **peers))
    for _ in range(2):
        work.start()
        assert len(work._threads) == before + more
    stop.set()
    context.engine.wakeups.wake(("ROUTE", "DELIVER", "COMMIT"))
    for thread in work._threads:
        thread.join(60)
    assert not work.is_alive


def test_a_thread_is_free_for_the_routes_of_urgent_studies(app: App) -> None:
    config = app.context.config
    routing = {"urgent": {"CallingAET": "ER"}}
    urgent = Config.model_validate({**config.model_dump(mode="json"), "routing": routing})
    more = Counter(light_work(urgent)) - Counter(light_work(config))
    assert list(more.elements()) == [Share((TaskKind.ROUTE,), urgent_only=True)]
