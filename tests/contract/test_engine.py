"""What `pacs_ai.engine.base.Engine` promises, on every engine."""

import threading
import time
from collections.abc import Callable

import pytest

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.errors import DatabaseBusy
from pacs_ai.priorities import Priority
from tests.contract.conftest import ROUTES, Engines
from tests.unit.store.samples import NOW


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "never so"
        time.sleep(0.01)


def test_the_oldest_is_first_and_each_runs_once(engines: Engines):
    engines.enqueue("b", "a", "c", "b")
    assert engines.drained() == ["b", "a", "c"]
    assert engines.drained() == []


def test_the_most_urgent_is_first_and_stays_so_when_it_is_asked_for_again(engines: Engines):
    engines.enqueue("low", priority=Priority.LOW)
    engines.enqueue("a", "b", "c")
    engines.enqueue("urgent", priority=Priority.URGENT)
    engines.enqueue("c", priority=Priority.URGENT)
    engines.enqueue("c", priority=Priority.LOW)
    assert engines.drained() == ["c", "urgent", "a", "b", "low"]


def test_a_task_that_waits_is_not_added_again(engines: Engines):
    for _ in range(10):
        engines.enqueue("a")
    assert engines.drained() == ["a"]


def test_a_rolled_back_transaction_leaves_no_task(engines: Engines):
    engines.roll_back(lambda session: engines.of().enqueue(session, TaskKind.ROUTE, "a"))
    assert engines.existing() == set()
    assert engines.drained() == []


def test_nothing_waits_before_the_transaction_commits(engines: Engines):
    with engines.database.write("test", NOW) as transaction:
        engines.of().enqueue(transaction, TaskKind.ROUTE, "a")
        assert engines.existing() == set()
    assert engines.existing() == {"a"}


def test_two_may_ask_for_the_same_at_the_same_moment(engines: Engines):
    asked: list[int] = []

    def ask() -> None:
        for number in range(10):
            engines.enqueue(str(number))
            asked.append(number)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 20
    assert sorted(engines.drained()) == [str(number) for number in range(10)]


def test_asked_for_while_it_runs_means_once_more_behind_the_others(engines: Engines):
    engines.enqueue("a", "b")
    done: list[str] = []

    def perform(_kind: TaskKind, key: str) -> None:
        done.append(key)
        if len(done) == 1:
            engines.enqueue("c", key, key)

    assert engines.of().drain(perform, ROUTES) == 4
    assert done == ["a", "b", "c", "a"]


def test_a_task_that_asks_for_itself_lets_the_others_have_their_turn(engines: Engines):
    engines.enqueue("restless", "patient")
    done: list[str] = []

    def perform(_kind: TaskKind, key: str) -> None:
        done.append(key)
        if key == "restless" and len(done) < 5:
            engines.enqueue(key)

    engines.of().drain(perform, ROUTES)
    assert done[:3] == ["restless", "patient", "restless"]


def test_only_the_kinds_asked_for(engines: Engines):
    engines.enqueue("a")
    engines.enqueue("b", kind=TaskKind.DELIVER)
    assert engines.of().drain(lambda *_: None, (TaskKind.ANALYSE,)) == 0
    assert engines.drained() == ["a"]
    assert engines.existing(TaskKind.DELIVER) == {"b"}


def test_what_exists_waits_or_is_performed_and_one_sees_what_one_asked_for(engines: Engines):
    engine = engines.of()
    engines.enqueue("a")
    engines.enqueue("other", kind=TaskKind.DELIVER)
    with engines.frozen("node/boot/1") as finish:
        engines.enqueue("b")
        with engines.database.write("test", NOW) as transaction:
            engine.enqueue(transaction, TaskKind.ROUTE, "c")
            assert engine.existing(transaction, TaskKind.ROUTE) == {"a", "b", "c"}
        finish()
    assert engines.existing() == {"b", "c"}


def test_a_task_is_never_performed_by_two(engines: Engines):
    keys = [str(number) for number in range(60)]
    engines.enqueue(*keys)
    done: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: done.extend(engines.drained(f"node/boot/{n}")))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == sorted(keys)


def test_a_task_that_raises_stays_held_and_the_worker_goes_on(engines: Engines):
    engines.enqueue("bad", "good")
    done: list[str] = []
    stop = threading.Event()

    def perform(_kind: TaskKind, key: str) -> None:
        if key == "bad":
            raise ZeroDivisionError
        done.append(key)

    thread = threading.Thread(target=engines.of("node/boot/7").run, args=(perform, ROUTES, stop))
    thread.start()
    until(lambda: done == ["good"] and engines.existing() == {"bad"})
    stop.set()
    thread.join()
    (held,) = engines.held()
    assert held.owner == "node/boot/7"
    engines.take_back(held)
    assert engines.drained() == ["bad"]


def test_a_task_that_the_storage_fails_stays_held_and_the_others_run(engines: Engines):
    engines.enqueue("a", "b")

    def perform(_kind: TaskKind, key: str) -> None:
        if key == "a":
            raise DatabaseBusy("the database did not answer in time")

    assert engines.of().drain(perform, ROUTES) == 2
    assert engines.existing() == {"a"}
    assert len(engines.held()) == 1


def test_the_task_at_hand_is_finished_before_a_worker_stops(engines: Engines):
    engines.enqueue("a", "b")
    stop = threading.Event()
    engines.of().run(lambda *_: stop.set(), ROUTES, stop)
    assert engines.existing() == {"b"}
    assert engines.held() == []


def test_a_worker_that_lives_gives_signs_of_it(engines: Engines):
    engines.enqueue("a")
    signs = set()

    def perform(_kind: TaskKind, _key: str) -> None:
        until(lambda: signs.update(engines.held()) is None and len(signs) >= 3)

    engines.of(lease_seconds=0.1, clock=SystemClock()).drain(perform, ROUTES)
    assert {(sign.id, sign.owner) for sign in signs} == {(signs.pop().id, "node/boot/1")}


@pytest.mark.parametrize(("last", "order"), [(True, ["b", "c", "a"]), (False, ["a", "b", "c"])])
def test_a_task_that_is_taken_back_waits_in_its_place_or_behind_the_rest(
    engines: Engines, last: bool, order: list[str]
):
    """A node that is killed again and again must not begin with the same task each time."""
    engines.enqueue("a")
    with engines.frozen("node/boot/1"):
        engines.enqueue("b", "c")
        (held,) = engines.held()
        assert engines.drained("node/boot/2") == ["b", "c"]
        engines.enqueue("b", "c")
        engines.take_back(held, last=last)
        engines.take_back(held, last=last)
        assert engines.held() == []
        assert engines.drained("node/boot/2") == order


def test_a_take_back_that_is_rolled_back_changes_nothing(engines: Engines):
    engines.enqueue("a")
    with engines.frozen("node/boot/1") as finish:
        (held,) = engines.held()
        engines.roll_back(lambda session: engines.of().take_back(session, held, last=True))
        assert [one.id for one in engines.held()] == [held.id]
        finish()
    assert engines.existing() == set()


@pytest.mark.parametrize("successor", ["node/boot/2", "node/boot/1"])
@pytest.mark.parametrize("last", [True, False])
def test_a_frozen_worker_that_ends_late_changes_nothing(
    engines: Engines, successor: str, last: bool
):
    """Its task has another worker by now: another process, or another thread of its own."""
    engines.enqueue("a")
    with engines.frozen("node/boot/1") as finish_late:
        (lost,) = engines.held()
        engines.take_back(lost, last=last)
        with engines.frozen(successor) as finish:
            (held,) = engines.held()
            assert (held.owner, held.id == lost.id) == (successor, False)
            finish_late()
            engines.take_back(lost)
            assert [one.id for one in engines.held()] == [held.id]
            finish()
    assert engines.existing() == set()
