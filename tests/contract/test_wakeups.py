"""A commit that asks for a task wakes who waits for it; a lost wake-up costs some time only."""

import contextlib
import math
import threading
from collections.abc import Callable, Collection, Iterator

import pytest
import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.engine import wakeups
from pacs_ai.engine.base import Engine
from pacs_ai.engine.wakeups import Wakeups
from tests.contract.conftest import ROUTES, Engines
from tests.node import wait_for
from tests.unit.store.samples import NOW


@pytest.fixture
def never_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakeups, "POLL_SECONDS", 3600)


def ask(engines: Engines, engine: Engine, key: str) -> None:
    with engines.database.write("test", NOW) as transaction:
        engine.enqueue(transaction, TaskKind.ROUTE, key)


@contextlib.contextmanager
def working(engine: Engine) -> Iterator[list[str]]:
    """Yield the keys of the tasks that a thread has performed."""
    done: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=engine.run, args=(lambda _kind, key: done.append(key), ROUTES, stop)
    )
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        engine.wakeups.wake(ROUTES)
        thread.join()


class Watched(Wakeups):
    """Calls a function right before a thread begins to wait, after its look at the tasks."""

    def __init__(self, before_wait: Callable[[], None]) -> None:
        super().__init__()
        self._before_wait = before_wait

    def wait(self, kinds: Collection[str], count: int, seconds: float = math.inf) -> None:
        self._before_wait()
        super().wait(kinds, count, seconds)


@pytest.mark.usefixtures("never_polls")
def test_a_worker_that_waits_is_woken(engines: Engines):
    engine, waits = engines.of(), threading.Semaphore(0)
    engine.wakeups = Watched(waits.release)
    with working(engine) as done:
        for key in ("a", "b"):
            assert waits.acquire(timeout=60)
            ask(engines, engine, key)
            wait_for(lambda key=key: key in done)


@pytest.mark.usefixtures("never_polls")
def test_a_wake_up_between_the_look_and_the_wait_is_not_missed(engines: Engines):
    engine = engines.of()
    keys = iter(["a", "b"])

    def before_wait() -> None:
        for key in keys:
            ask(engines, engine, key)
            return

    engine.wakeups = Watched(before_wait)
    with working(engine) as done:
        wait_for(lambda: done == ["a", "b"])


@pytest.mark.usefixtures("never_polls")
def test_one_that_is_woken_for_another_node_finds_its_task(engines: Engines):
    here, there = engines.of("here/boot/1"), engines.of("there/boot/1")
    with working(there) as done:
        ask(engines, here, "a")
        there.wakeups.wake(ROUTES)
        wait_for(lambda: done == ["a"])


def test_there_is_a_wake_up_after_the_commit_and_none_before(engines: Engines):
    engine = engines.of()
    others = [kind for kind in TaskKind if kind not in ROUTES]
    with engines.database.write("test", NOW) as transaction:
        engine.enqueue(transaction, TaskKind.ROUTE, "a")
        assert engine.wakeups.count(ROUTES) == 0
    assert engine.wakeups.count(ROUTES) == 1
    assert engine.wakeups.count(others) == 0


def test_what_is_rolled_back_wakes_nobody(engines: Engines):
    engine = engines.of()
    engines.roll_back(lambda transaction: engine.enqueue(transaction, TaskKind.ROUTE, "a"))
    assert engine.wakeups.count(ROUTES) == 0


def test_a_task_is_found_without_any_wake_up(engines: Engines):
    with working(engines.of("there/boot/1")) as done:
        ask(engines, engines.of("here/boot/1"), "a")
        wait_for(lambda: done == ["a"])


@contextlib.contextmanager
def listening(engine: Engine) -> Iterator[threading.Thread]:
    """A thread that wakes an engine for what other nodes ask for."""
    stop = threading.Event()
    thread = threading.Thread(target=engine.listen, args=(stop,))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("never_polls")
def test_postgresql_tells_the_other_nodes(engines: Engines):
    """Also after its connection was lost; elsewhere nobody listens, and the thread ends."""
    here, there = engines.of("here/boot/1"), engines.of("there/boot/1")
    with listening(there) as thread, working(there) as done:
        if engines.database.is_sqlite:
            thread.join(60)
            assert not thread.is_alive()
            return
        wait_for(lambda: there.wakeups.count(TaskKind) > 0)
        for key in ("a", "b"):
            ask(engines, here, key)
            wait_for(lambda key=key: key in done)
            assert disconnected(engines) == 1
        ask(engines, here, "c")
        wait_for(lambda: done == ["a", "b", "c"])


def disconnected(engines: Engines) -> int:
    """End the connections of those who listen, and wait for it; returns how many there were."""
    gone = (
        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
        "WHERE application_name = :name"
    )
    with engines.database.engine.begin() as connection:
        rows = connection.execute(sa.text(gone), {"name": "pacs-ai wake-ups"})
        return len(rows.all())
