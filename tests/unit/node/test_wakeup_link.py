"""Wake-ups go from the daemon to its children and back, and hold nobody up."""

from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from pacs_ai.domain import TaskKind
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.node.app import HEAVY_TASKS
from pacs_ai.node.wakeup_link import connect_child, connect_daemon
from tests.node import wait_for

ALL = tuple(TaskKind)


@pytest.fixture
def daemon() -> Wakeups:
    return Wakeups()


def child(daemon: Wakeups, kinds: Collection[TaskKind] = HEAVY_TASKS) -> Wakeups:
    """Return the wake-ups of a child that is connected with the daemon."""
    wakeups = Wakeups()
    connect_daemon(wakeups, connect_child(daemon, kinds).detach())
    return wakeups


def woken(wakeups: Wakeups, kinds: Collection[TaskKind]) -> Callable[[], bool]:
    return lambda: all(wakeups.count([kind]) > 0 for kind in kinds)


def test_the_daemon_wakes_a_child_for_what_it_performs(daemon: Wakeups) -> None:
    worker, receiver = child(daemon), child(daemon, ())
    daemon.wake([TaskKind.ROUTE, TaskKind.ANALYSE])
    wait_for(woken(worker, [TaskKind.ANALYSE]))
    daemon.wake([TaskKind.WITHDRAW])
    wait_for(woken(worker, [TaskKind.WITHDRAW]))
    assert worker.count([TaskKind.ROUTE]) == 0
    assert receiver.count(ALL) == 0


def test_a_child_wakes_the_daemon_and_the_others(daemon: Wakeups) -> None:
    worker, receiver = child(daemon), child(daemon, ())
    worker.wake([TaskKind.DELIVER])
    wait_for(woken(daemon, [TaskKind.DELIVER]))
    receiver.wake([TaskKind.ANALYSE])
    wait_for(woken(worker, [TaskKind.ANALYSE]))
    assert daemon.count(ALL) == 2


def test_a_child_that_stands_still_holds_nobody_up_and_looks_for_all_later(
    daemon: Wakeups,
) -> None:
    end = connect_child(daemon, HEAVY_TASKS)
    for _ in range(5000):
        daemon.wake([TaskKind.ANALYSE])
    daemon.wake([TaskKind.WITHDRAW])
    worker = Wakeups()
    connect_daemon(worker, end.detach())
    wait_for(woken(worker, HEAVY_TASKS))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open_of_children_that_end(daemon: Wakeups) -> None:
    before = open_files()
    for _ in range(20):
        connect_child(daemon, HEAVY_TASKS).close()
        daemon.wake([TaskKind.ANALYSE])
    wait_for(lambda: open_files() <= before)
    daemon.wake([TaskKind.ANALYSE])
