"""What the daemon sees of a child, check by check."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pacs_ai.node.child_process import ChildProcess, Loss
from tests.node import wait_for

SLEEPS = "import time; time.sleep(600)"
SPAWNS = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"


class Pipe:
    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        os.set_blocking(self.read, False)

    def beat(self) -> None:
        os.write(self.write, b".")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    one = Pipe()
    yield one
    os.close(one.write)


def start(pipe: Pipe, script: str = SLEEPS) -> ChildProcess:
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True
    )
    return ChildProcess(process, "node/boot/child", pipe.read)


@pytest.fixture
def child(pipe: Pipe) -> Iterator[ChildProcess]:
    one = start(pipe)
    yield one
    one.kill()
    one.close()
    assert one.process.stdout is not None
    one.process.stdout.close()


def test_one_that_sends_heartbeats_is_not_lost(child: ChildProcess, pipe: Pipe) -> None:
    for _ in range(50):
        pipe.beat()
        assert child.check(1) is None


def test_one_that_falls_silent_is_lost_after_the_lease(child: ChildProcess, pipe: Pipe) -> None:
    pipe.beat()
    assert [child.check(30) for _ in range(30)] == [None] * 30
    assert child.check(30) is Loss.SILENT


def test_one_that_starts_has_more_time(child: ChildProcess) -> None:
    assert [child.check(1) for _ in range(100)] == [None] * 100
    assert Loss.SILENT in [child.check(1) for _ in range(100)]


def test_one_that_is_stopped_is_lost_sooner_and_one_that_goes_on_is_not(
    child: ChildProcess, pipe: Pipe
) -> None:
    pipe.beat()
    child.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: _state(child) == "T")
    assert [child.check(100), child.check(100)] == [None, None]
    child.process.send_signal(signal.SIGCONT)
    wait_for(lambda: _state(child) != "T")
    assert [child.check(100) for _ in range(5)] == [None] * 5
    child.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: _state(child) == "T")
    assert [child.check(100) for _ in range(3)] == [None, None, Loss.STOPPED]


def test_what_it_has_started_ends_with_it(pipe: Pipe) -> None:
    child = start(pipe, f"{SPAWNS}; {SLEEPS}")
    assert child.process.stdout is not None
    with child.process.stdout as lines:
        started = int(lines.readline())
    child.process.send_signal(signal.SIGSTOP)
    child.kill()
    child.close()
    assert child.process.returncode == -signal.SIGKILL
    wait_for(lambda: _gone(started))


def _state(child: ChildProcess) -> str:
    with open(f"/proc/{child.process.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0]


def _gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
