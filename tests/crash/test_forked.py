"""Workers that share their models are supervised as others are: killed, stopped, left alone."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.node import Node, command_of, node
from tests.samples import new_study

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only"),
]

FORKED = "pacs_ai.node.fork_server"
WORKERS = max(2, os.cpu_count() or 1)
EXTRA = f'workers = {WORKERS}\n[[rules]]\nname = "all"\nmodel = "demo"\n'


@pytest.fixture
def one(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Node]:
    with node(tmp_path / "node", free_port(), extra=EXTRA, new_children=True) as made:
        made.start()
        made.wait_for(lambda: len(workers(made)) == WORKERS)
        yield made


def workers(one: Node) -> list[int]:
    """Those that the fork server has forked; it has the lowest number itself, as it came first."""
    return sorted(one.children(FORKED), key=started)[1:]


def started(pid: int) -> int:
    """When a process started, in ticks since the machine did."""
    return int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[19])


def analysed(one: Node, folder: Path, number: int) -> None:
    assert one.send(*new_study(folder / f"{number}", 1)) == [0]
    one.wait_for(lambda: one.states("job") == ["SUCCEEDED"] * number)


def zombies(one: Node) -> list[int]:
    assert one.process is not None
    threads = Path(f"/proc/{one.process.pid}/task").glob("*/children")
    children = [int(child) for thread in threads for child in thread.read_text().split()]
    return [child for child in children if not command_of(child)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_one_is_replaced(one: Node, tmp_path: Path, number: signal.Signals) -> None:
    analysed(one, tmp_path, 1)
    before = workers(one)
    os.kill(before[0], number)
    one.wait_for(lambda: before[0] not in workers(one) and len(workers(one)) == WORKERS)
    assert set(before[1:]) <= set(workers(one))
    analysed(one, tmp_path, 2)
    one.wait_for(lambda: zombies(one) == [])
    assert one.stop() == 0


def test_the_workers_go_on_without_the_fork_server_which_is_replaced(
    one: Node, tmp_path: Path
) -> None:
    before = workers(one)
    [server] = set(one.children(FORKED)) - set(before)
    os.kill(server, signal.SIGKILL)
    one.wait_for(lambda: "fork server died" in one.log)
    one.wait_for(lambda: len(one.children(FORKED)) == WORKERS + 1)
    assert set(before) <= set(one.children(FORKED))
    analysed(one, tmp_path, 1)
    os.kill(before[0], signal.SIGKILL)
    one.wait_for(lambda: len(set(one.children(FORKED)) - {before[0]}) == WORKERS + 1)
    assert one.stop() == 0


def test_none_outlives_the_daemon(one: Node) -> None:
    running = one.children(FORKED)
    one.kill()
    one.wait_for(lambda: not any(FORKED.encode() in command_of(pid) for pid in running))


def test_auto_measures_and_studies_are_analysed_meanwhile_and_after(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    extra = EXTRA.replace(f"workers = {WORKERS}", 'workers = "auto"')
    with node(tmp_path / "node", free_port(), extra=extra, new_children=True) as one:
        one.start()
        analysed(one, tmp_path, 1)
        if (os.cpu_count() or 1) > 1:
            one.wait_for(lambda: "workers chosen" in one.log)
        analysed(one, tmp_path, 2)
        assert one.query("SELECT worker_crashes FROM job") == [(0,), (0,)]
        assert one.stop() == 0
        assert "worker died" not in one.log
