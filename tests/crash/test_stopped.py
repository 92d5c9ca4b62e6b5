"""SIGSTOP: a process that is there and does nothing is noticed, and replaced."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive import archive, to_archive
from tests.crash.killing import COMMITTED, HOOK
from tests.node import Node, node, runs
from tests.samples import sample

pytestmark = pytest.mark.crash

WORKER, RECEIVER = "pacs_ai.node.worker", "pacs_ai.node.receiver"
ALONE = '[[rules]]\nname = "all"\nmodel = "demo"\n'


def analysed(one: Node) -> None:
    one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])


def replaced(one: Node, module: str, stopped: list[int]) -> None:
    """Wait until others are in their place, and they are gone."""
    one.wait_for(
        lambda: len(set(one.children(module)) - set(stopped)) == len(stopped),
    )
    assert [pid for pid in stopped if runs(module, pid)] == []


def test_an_idle_worker_is_replaced(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with node(tmp_path / "node", free_port(), extra=ALONE) as one:
        one.start()
        one.wait_for(lambda: one.children(WORKER))
        workers = one.children(WORKER)
        os.kill(workers[0], signal.SIGSTOP)
        replaced(one, WORKER, workers)
        assert one.send(sample()) == [0]
        analysed(one)
        assert one.stop() == 0


@pytest.mark.slow
def test_one_stopped_at_work_is_replaced_and_its_job_not_blamed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    node_port, archive_port = free_port(), free_port()
    flag = tmp_path / "stopped"
    with (
        archive(archive_port, node_port) as peer,
        node(
            tmp_path / "node",
            node_port,
            extra=to_archive(archive_port, peer=COMMITTED),
            PYTHONPATH=str(HOOK),
            PACS_AI_TEST_KILL=f"pacs_ai.analysis.study:predict_study:before:{flag}",
            PACS_AI_TEST_SIGNAL="SIGSTOP",
        ) as one,
    ):
        one.start()
        assert one.send(sample()) == [0]
        analysed(one)
        assert flag.exists()
        assert one.query("SELECT worker_crashes, node_crashes FROM job") == [(0, 0)]
        one.wait_for(lambda: set(one.states("delivery")) == {"COMMITTED"})
        assert one.stop() == 0
        assert len(set(peer.uids())) == len(peer.uids()) == 2


@pytest.mark.slow
def test_a_receiver_is_replaced(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with node(tmp_path / "node", free_port(), head="acceptors = 2") as one:
        one.start()
        one.wait_for(lambda: "listens as" in one.log)
        receivers = one.children(RECEIVER)
        for pid in receivers:
            os.kill(pid, signal.SIGSTOP)
        replaced(one, RECEIVER, receivers)
        one.wait_for(one.answers)
        assert one.send(sample()) == [0]
        assert one.stop() == 0


@pytest.mark.slow
def test_where_the_daemon_was_stopped_nobody_is_blamed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with node(tmp_path / "node", free_port(), head="acceptors = 2") as one:
        one.start()
        one.wait_for(lambda: one.children(WORKER))
        before = one.children(WORKER) + one.children(RECEIVER)
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(15)
        one.process.send_signal(signal.SIGCONT)
        assert one.send(sample()) == [0]
        one.wait_for(lambda: one.states("study") == ["ROUTED"])
        assert one.children(WORKER) + one.children(RECEIVER) == before
        assert one.stop() == 0
