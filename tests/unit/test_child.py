"""What the daemon sees of a child, at one look after another."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pacs_ai.child import Child, Loss
from tests.node import wait_for

SLEEPS = "import time; time.sleep(600)"
SPAWNS = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"


class Pipe:
    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)

    def sign(self) -> None:
        os.write(self.write, b".")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    os.close(one.write)


def start(pipe: Pipe, script: str = SLEEPS) -> Child:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    return Child(process, "node/boot/child", pipe.read)


@pytest.fixture
def child(pipe: Pipe) -> Iterator[Child]:
    one = start(pipe)
    yield one
    one.kill()
    one.close()
    assert one.process.stdout is not None
    one.process.stdout.close()


def test_one_that_gives_signs_is_not_lost(child: Child, pipe: Pipe) -> None:
    for _ in range(50):
        pipe.sign()
        assert child.look(1) is None


def test_one_that_gives_none_any_more_is_lost_after_the_lease(child: Child, pipe: Pipe) -> None:
    pipe.sign()
    assert [child.look(30) for _ in range(30)] == [None] * 30
    assert child.look(30) is Loss.SILENT


def test_one_that_begins_has_more_time(child: Child) -> None:
    assert [child.look(1) for _ in range(100)] == [None] * 100
    assert Loss.SILENT in [child.look(1) for _ in range(100)]


def test_one_that_is_stopped_is_lost_sooner_and_one_that_goes_on_is_not(
    child: Child, pipe: Pipe
) -> None:
    pipe.sign()
    child.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: _state(child) == "T", 30)
    assert [child.look(100), child.look(100)] == [None, None]
    child.process.send_signal(signal.SIGCONT)
    wait_for(lambda: _state(child) != "T", 30)
    assert [child.look(100) for _ in range(5)] == [None] * 5
    child.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: _state(child) == "T", 30)
    assert [child.look(100) for _ in range(3)] == [None, None, Loss.STOPPED]


def test_what_it_has_started_ends_with_it(pipe: Pipe) -> None:
    child = start(pipe, f"{SPAWNS}; {SLEEPS}")
    assert child.process.stdout is not None
    with child.process.stdout as lines:
        started = int(lines.readline())
    child.process.send_signal(signal.SIGSTOP)
    child.kill()
    child.close()
    assert child.process.returncode == -signal.SIGKILL
    wait_for(lambda: _gone(started), 30)


def _state(child: Child) -> str:
    with open(f"/proc/{child.process.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0]


def _gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
