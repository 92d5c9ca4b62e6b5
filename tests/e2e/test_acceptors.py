"""Several processes that receive on one port, seen from outside."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.net.scu.client import PeerAddress, store
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ACCEPTORS = 3


def images(folder: Path, count: int) -> list[Path]:
    """As many images of one study."""
    source = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    source.StudyInstanceUID = generate_uid()
    paths = []
    for number in range(count):
        source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        paths.append(folder / f"{number}.dcm")
        source.save_as(paths[-1])
    return paths


def receivers(one: Node) -> list[int]:
    return one.children("pacs_ai.node.receiver")


@pytest.fixture
def one(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Node]:
    with node(tmp_path / "node", free_port(), head=f"acceptors = {ACCEPTORS}") as one:
        one.start()
        wait_for(lambda: "listens as" in one.log, 60, lambda: one.log)
        yield one


def send(one: Node, paths: list[Path]) -> None:
    address = PeerAddress("AI_NODE", "127.0.0.1", one.port)
    for path in paths:  # an association each, so that the kernel spreads them
        assert [outcome.status for outcome in store(address, "SENDER", [path])] == [0]


def test_a_study_over_several_processes_is_one_study(one: Node, tmp_path: Path) -> None:
    assert len(receivers(one)) == ACCEPTORS
    send(one, images(tmp_path, 12))
    wait_for(lambda: one.states("study") == ["ROUTED"], 60, lambda: one.log)
    assert one.query("SELECT count(*), count(DISTINCT study_id) FROM instance") == [(12, 1)]
    assert one.stop() == 0
    assert one.log.count("association closed") >= 12


def test_one_that_dies_is_replaced_and_its_studies_end(one: Node, tmp_path: Path) -> None:
    before = receivers(one)
    send(one, images(tmp_path, 3))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(set(receivers(one)) - set(before)) == ACCEPTORS, 60, lambda: one.log)
    wait_for(one.answers, 30, lambda: one.log)
    wait_for(lambda: one.states("study") == ["ROUTED"], 60, lambda: one.log)


def test_none_outlives_the_daemon(one: Node) -> None:
    pids = receivers(one)
    one.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids), 10)
    one.start()
    assert len(receivers(one)) == ACCEPTORS


def test_a_port_in_use_is_said(one: Node, tmp_path: Path) -> None:
    with node(tmp_path / "other", one.port, head="acceptors = 2") as other:
        done = other.command("listen")
        assert done.returncode == 2
        assert f"port {one.port}" in done.stderr
