"""Urgent tasks begin first, and hold up what is less urgent: never for long, on every engine."""

import contextlib
import math
import threading
from collections.abc import Callable, Collection, Iterator, Sequence

import pytest

from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import Engine
from pacs_ai.engine.hold import HOLD_SECONDS, LOOK_SECONDS
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.priorities import Priority
from tests.contract.conftest import ROUTES, Engines
from tests.contract.test_engine import until

ANALYSES = (TaskKind.ANALYSE,)
DELIVERIES = (TaskKind.DELIVER,)


class Looks(Wakeups):
    """Counts the looks at the tasks after which a thread had nothing to begin."""

    def __init__(self, before_wait: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.in_vain = 0
        self._before_wait = before_wait

    def wait(self, kinds: Collection[str], count: int, seconds: float = math.inf) -> None:
        self._before_wait()
        self.in_vain += 1
        super().wait(kinds, count, min(seconds, 0.01))


@contextlib.contextmanager
def working(engine: Engine, kinds: Sequence[TaskKind]) -> Iterator[list[str]]:
    """Yield the keys of the tasks that a thread has performed."""
    done: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=engine.run, args=(lambda _kind, key: done.append(key), kinds, stop)
    )
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def looking(engines: Engines, before_wait: Callable[[], object] = lambda: None) -> Engine:
    engine = engines.of("node/boot/2")
    engine.wakeups = Looks(before_wait)
    return engine


def looked_in_vain(engine: Engine, done: list[str]) -> bool:
    """Let a thread look ten times; tell whether it began nothing."""
    looks = engine.wakeups
    assert isinstance(looks, Looks)
    last = looks.in_vain + 10
    until(lambda: looks.in_vain >= last or bool(done))
    return not done


def test_a_thread_for_urgent_tasks_leaves_the_others_unless_urgent_ones_never_end(
    engines: Engines,
):
    engines.enqueue("old", "older")
    done: list[str] = []
    stop = threading.Event()

    def perform(_kind: TaskKind, key: str) -> None:
        done.append(key)
        if key in ("3", "8"):
            stop.set()

    def run(owner: str, *keys: str) -> list[str]:
        stop.clear()
        done.clear()
        engines.enqueue(*keys, priority=Priority.URGENT)
        engines.of(owner).run(perform, ROUTES, stop, urgent_only=True)
        return list(done)

    assert run("node/boot/1", "0", "1", "2", "3") == ["0", "1", "2", "3"]
    assert engines.existing() == {"old", "older"}
    keys = ("4", "5", "6", "7", "8")
    assert run("node/boot/2", *keys) == ["4", "5", "6", "7", "old", "8"]
    assert engines.existing() == {"older"}


def test_a_thread_for_urgent_tasks_stays_free_while_only_others_wait(engines: Engines):
    engines.enqueue("routine")
    engines.enqueue("low", priority=Priority.LOW)
    done: list[str] = []
    stop = threading.Event()

    engine = engines.of()
    thread = threading.Thread(
        target=engine.run,
        args=(lambda _, key: done.append(key), ROUTES, stop),
        kwargs={"urgent_only": True},
    )
    thread.start()
    for number in range(5):  # how many came before does not count: there was a pause
        engines.enqueue(f"urgent {number}", priority=Priority.URGENT)
        engine.wakeups.wake(ROUTES)
        until(lambda: engines.existing() == {"routine", "low"})
    stop.set()
    engine.wakeups.wake(ROUTES)
    thread.join()
    assert done == [f"urgent {number}" for number in range(5)]
    assert engines.existing() == {"routine", "low"}


def test_one_of_five_begins_in_the_order_of_arrival(engines: Engines):
    engines.enqueue("old", "older")
    done: list[str] = []
    urgent = iter(range(100))

    def perform(_kind: TaskKind, key: str) -> None:
        done.append(key)
        if len(done) < 20:
            engines.enqueue(f"u{next(urgent)}", priority=Priority.URGENT)

    engines.enqueue("u", priority=Priority.URGENT)
    engines.of().drain(perform, ROUTES)
    assert done[4] == "old"
    assert done[9] == "older"
    assert len(done) == 22


@pytest.mark.parametrize("kind", [TaskKind.ROUTE, TaskKind.ANALYSE, TaskKind.DELIVER])
@pytest.mark.parametrize("less", [Priority.ROUTINE, Priority.LOW])
def test_nothing_less_urgent_begins_while_an_urgent_task_is_performed(
    engines: Engines, kind: TaskKind, less: Priority
):
    engines.enqueue("urgent", kind=kind, priority=Priority.URGENT)
    with engines.frozen("node/boot/1", (kind,)) as finish:
        engines.enqueue("other", kind=TaskKind.DELIVER, priority=less)
        engine = looking(engines)
        with working(engine, DELIVERIES) as done:
            assert looked_in_vain(engine, done)
            finish()
            until(lambda: done == ["other"])


def test_nothing_less_urgent_begins_while_an_urgent_task_waits(engines: Engines):
    engines.enqueue("urgent", kind=TaskKind.ANALYSE, priority=Priority.URGENT)
    engines.enqueue("other", kind=TaskKind.DELIVER)
    engine = looking(engines)
    with working(engine, DELIVERIES) as done:
        assert looked_in_vain(engine, done)
        engines.enqueue("urgent", kind=TaskKind.DELIVER, priority=Priority.URGENT)
        until(lambda: done == ["urgent"])
        assert engines.of("node/boot/1").drain(lambda *_: None, ANALYSES) == 1
        until(lambda: done == ["urgent", "other"])


def test_what_was_made_urgent_later_holds_others_up_from_then_on(engines: Engines):
    engines.enqueue("urgent", kind=TaskKind.ANALYSE)
    engines.enqueue("other", kind=TaskKind.DELIVER)
    engines.clock.advance(10 * HOLD_SECONDS)
    engines.enqueue("urgent", kind=TaskKind.ANALYSE, priority=Priority.URGENT)
    engine = looking(engines)
    with working(engine, DELIVERIES) as done:
        assert looked_in_vain(engine, done)


@pytest.mark.parametrize("kind", [TaskKind.ANALYSE, TaskKind.DELIVER])
@pytest.mark.parametrize("seconds", [2 * HOLD_SECONDS, -3600])
@pytest.mark.parametrize("performed", [True, False])
def test_an_urgent_task_that_does_not_end_holds_nobody_up_for_long(
    engines: Engines, kind: TaskKind, seconds: float, performed: bool
):
    """It waits for an archive that is silent, or its worker is lost, or the clock was set back."""
    engines.enqueue("stuck", kind=kind, priority=Priority.URGENT)
    stuck = engines.frozen("node/boot/1", (kind,)) if performed else contextlib.nullcontext()
    with stuck:
        engines.enqueue("other", kind=TaskKind.COMMIT)
        engine = looking(engines)
        with working(engine, (TaskKind.COMMIT,)) as done:
            assert looked_in_vain(engine, done)
            engines.clock.jump(seconds)
            until(lambda: done == ["other"])


def test_what_another_node_performs_holds_nobody_up_here(engines: Engines):
    engines.enqueue("urgent", kind=TaskKind.ANALYSE, priority=Priority.URGENT)
    with engines.frozen("node2/boot/1", ANALYSES):
        engines.enqueue("other", kind=TaskKind.DELIVER)
        with working(engines.of("node/boot/2"), DELIVERIES) as done:
            until(lambda: done == ["other"])
        with working(engines.of("node2/boot/2"), DELIVERIES) as there:
            engines.enqueue("there", kind=TaskKind.DELIVER)
            engines.clock.jump(2 * HOLD_SECONDS)
            until(lambda: there == ["there"])


def test_a_stream_of_urgent_tasks_leaves_a_fifth_of_the_time(engines: Engines):
    """Others come before the last one has ended, and none of them is of the kind that waits."""
    keys = iter(range(10_000))

    def go_on() -> None:
        engines.clock.advance(LOOK_SECONDS)
        if stream.is_set():
            key = str(next(keys))
            engines.enqueue(key, kind=TaskKind.ANALYSE, priority=Priority.URGENT)

    stream = threading.Event()
    stream.set()
    engine = looking(engines, go_on)
    go_on()
    engines.enqueue("other", kind=TaskKind.DELIVER)
    with working(engine, DELIVERIES) as done:
        until(lambda: done == ["other"])
        stream.clear()
    asked = next(keys)
    assert 1 < asked <= HOLD_SECONDS / LOOK_SECONDS + 5


def test_one_of_five_begins_in_the_order_of_arrival_though_it_is_held_up(engines: Engines):
    engines.enqueue("u", kind=TaskKind.ANALYSE, priority=Priority.URGENT)
    with engines.frozen("node/boot/1", ANALYSES):
        engines.enqueue("old", "older")
        engines.enqueue(*map(str, range(9)), priority=Priority.URGENT)
        engine = looking(engines)
        with working(engine, ROUTES) as done:
            until(lambda: len(done) == 11)
    assert done == ["0", "1", "2", "3", "old", "4", "5", "6", "7", "older", "8"]


def test_the_end_of_the_last_urgent_task_wakes_all(engines: Engines):
    engine = engines.of()
    others = [kind for kind in TaskKind if kind is not TaskKind.ROUTE]
    engines.enqueue("a", "b", priority=Priority.URGENT)
    engines.enqueue("c")
    woken: list[int] = []
    engine.drain(lambda *_: woken.append(engine.wakeups.count(others)), ROUTES)
    assert woken == [0, 0, len(others)]


def test_tasks_of_one_pass_hold_nothing_up(engines: Engines):
    engines.enqueue("urgent", kind=TaskKind.ANALYSE, priority=Priority.URGENT)
    engines.enqueue("other")
    assert engines.drained() == ["other"]
