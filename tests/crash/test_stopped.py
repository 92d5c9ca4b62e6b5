"""SIGSTOP: a process that is there and does nothing is noticed, and replaced."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import archive
from tests.crash.test_kill import EXTRA, HOOK
from tests.node import Node, command_of, node, wait_for

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]

PATIENCE = 120.0
"""For what takes seconds; a worker that begins reads its models first."""

WORKER, RECEIVER = "pacs_ai.node.worker", "pacs_ai.node.receiver"
ALONE = '[[rules]]\nname = "all"\nmodel = "demo"\n'


def send(one: Node) -> None:
    source = Path(str(get_testdata_file("CT_small.dcm")))
    address = PeerAddress("AI_NODE", "127.0.0.1", one.port)
    assert [outcome.status for outcome in store(address, "MODALITY", [source])] == [0]


def analysed(one: Node) -> None:
    wait_for(lambda: one.states("job") == ["SUCCEEDED"], PATIENCE, lambda: one.log)


def replaced(one: Node, module: str, stopped: list[int]) -> None:
    """Wait until others are in their place, and they are gone."""
    wait_for(
        lambda: len(set(one.children(module)) - set(stopped)) == len(stopped),
        PATIENCE,
        lambda: one.log,
    )
    assert [pid for pid in stopped if module.encode() in command_of(pid)] == []


def test_an_idle_worker_is_replaced(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with node(tmp_path / "node", free_port(), extra=ALONE) as one:
        one.start()
        wait_for(lambda: one.children(WORKER), PATIENCE, lambda: one.log)
        workers = one.children(WORKER)
        os.kill(workers[0], signal.SIGSTOP)
        replaced(one, WORKER, workers)
        send(one)
        analysed(one)
        assert one.stop() == 0


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
            extra=EXTRA.format(port=archive_port),
            PYTHONPATH=str(HOOK),
            PACS_AI_TEST_KILL=f"pacs_ai.flow.analyse:look:before:{flag}",
            PACS_AI_TEST_SIGNAL="SIGSTOP",
        ) as one,
    ):
        one.start()
        send(one)
        analysed(one)
        assert flag.exists()
        assert one.query("SELECT worker_crashes, node_crashes FROM job") == [(0, 0)]
        wait_for(lambda: set(one.states("delivery")) == {"COMMITTED"}, PATIENCE, lambda: one.log)
        assert one.stop() == 0
        assert len(set(peer.uids())) == len(peer.uids()) == 2


def test_a_receiver_is_replaced(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with node(tmp_path / "node", free_port(), head="acceptors = 2") as one:
        one.start()
        wait_for(lambda: "listens as" in one.log, PATIENCE, lambda: one.log)
        receivers = one.children(RECEIVER)
        for pid in receivers:
            os.kill(pid, signal.SIGSTOP)
        replaced(one, RECEIVER, receivers)
        wait_for(one.answers, PATIENCE, lambda: one.log)
        send(one)
        assert one.stop() == 0


def test_where_the_daemon_was_stopped_nobody_is_blamed(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    with node(tmp_path / "node", free_port(), head="acceptors = 2") as one:
        one.start()
        wait_for(lambda: one.children(WORKER), PATIENCE, lambda: one.log)
        before = one.children(WORKER) + one.children(RECEIVER)
        assert one.process is not None
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(15)
        one.process.send_signal(signal.SIGCONT)
        send(one)
        wait_for(lambda: one.states("study") == ["ROUTED"], PATIENCE, lambda: one.log)
        assert one.children(WORKER) + one.children(RECEIVER) == before
        assert one.stop() == 0
