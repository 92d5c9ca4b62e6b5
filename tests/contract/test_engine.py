"""What every engine promises."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.engine.local import LocalEngine
from pacs_ai.store import leases
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database

ROUTES = (TaskKind.ROUTE,)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    one = Database(f"sqlite:///{tmp_path}/tasks.db")
    prepare(one)
    yield one
    one.close()


@pytest.fixture
def engine(database: Database) -> LocalEngine:
    return LocalEngine(database, SystemClock(), "node/boot/1", 60)


def enqueue(database: Database, engine: LocalEngine, *keys: str) -> None:
    with database.write() as session:
        for key in keys:
            engine.enqueue(session, TaskKind.ROUTE, key)


def test_tasks_run_in_order_and_once(database: Database, engine: LocalEngine):
    enqueue(database, engine, "a", "b", "a")
    done: list[str] = []
    assert engine.drain(lambda _kind, key: done.append(key), ROUTES) == 2
    assert done == ["a", "b"]
    assert engine.drain(lambda _kind, key: done.append(key), ROUTES) == 0


def test_a_rolled_back_transaction_leaves_no_task(database: Database, engine: LocalEngine):
    def fail_later() -> None:
        with database.write() as session:
            engine.enqueue(session, TaskKind.ROUTE, "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_later()
    assert engine.drain(lambda *_: None, ROUTES) == 0


def test_asked_for_while_it_runs_means_once_more(database: Database, engine: LocalEngine):
    enqueue(database, engine, "a")
    done: list[str] = []

    def perform(_kind: TaskKind, key: str) -> None:
        done.append(key)
        if len(done) == 1:
            enqueue(database, engine, key)

    assert engine.drain(perform, ROUTES) == 2
    assert done == ["a", "a"]


def test_only_the_kinds_asked_for(database: Database, engine: LocalEngine):
    enqueue(database, engine, "a")
    assert engine.drain(lambda *_: None, (TaskKind.ANALYSE,)) == 0


def test_a_task_is_never_performed_by_two(database: Database, engine: LocalEngine):
    keys = [str(number) for number in range(60)]
    enqueue(database, engine, *keys)
    done: list[str] = []
    others = [LocalEngine(database, SystemClock(), f"node/boot/{n}", 60) for n in range(4)]

    def work(one: LocalEngine) -> None:
        one.drain(lambda _kind, key: done.append(key), ROUTES)

    threads = [threading.Thread(target=work, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(keys)


def test_a_task_that_raises_keeps_its_lease_and_the_worker_goes_on(
    database: Database, engine: LocalEngine, wait: Callable[[Callable[[], bool]], None]
):
    enqueue(database, engine, "bad", "good")
    done: list[str] = []
    stop = threading.Event()

    def perform(_kind: TaskKind, key: str) -> None:
        if key == "bad":
            raise ZeroDivisionError
        done.append(key)

    thread = threading.Thread(target=engine.run, args=(perform, ROUTES, stop))
    thread.start()
    wait(lambda: done == ["good"])
    stop.set()
    thread.join()
    with database.read() as session:
        (held,) = leases.held(session)
    assert held.owner == "node/boot/1"


@pytest.fixture
def wait() -> Callable[[Callable[[], bool]], None]:
    def until(condition: Callable[[], bool]) -> None:
        waiting = threading.Event()
        for _ in range(200):
            if condition():
                return
            waiting.wait(0.05)
        pytest.fail("never so")

    return until
