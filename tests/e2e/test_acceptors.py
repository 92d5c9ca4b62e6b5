"""Several processes that receive on one port, seen from outside."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_ai.flow.traffic import Traffic, read_traffic
from pacs_ai.store.spool import Spool
from tests.node import Node, node, wait_for
from tests.samples import new_study

pytestmark = pytest.mark.e2e

ACCEPTORS = 3


def receivers(one: Node) -> list[int]:
    return one.children("pacs_ai.node.receiver")


@pytest.fixture
def one(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Node]:
    with node(tmp_path / "node", free_port(), head=f"acceptors = {ACCEPTORS}") as one:
        one.start()
        one.wait_for(lambda: "listens as" in one.log)
        yield one


def traffic(one: Node) -> Traffic:
    """What the node has counted; read from outside, as the page does."""
    [folder] = one.folder.rglob("traffic")
    return read_traffic(Spool(folder.parent.parent, folder.parent.name))


def send(one: Node, paths: list[Path]) -> None:
    for path in paths:  # an association each, so that the kernel spreads them
        assert one.send(path) == [0]


def test_a_study_over_several_processes_is_one_study(one: Node, tmp_path: Path) -> None:
    assert len(receivers(one)) == ACCEPTORS
    send(one, new_study(tmp_path / "sent", 12))
    one.wait_for(lambda: one.states("study") == ["ROUTED"])
    assert one.query("SELECT count(*), count(DISTINCT study_id) FROM instance") == [(12, 1)]
    assert one.stop() == 0
    assert one.log.count("association closed") >= 12


@pytest.mark.slow
def test_one_that_dies_is_replaced_and_its_studies_end(one: Node, tmp_path: Path) -> None:
    before = receivers(one)
    send(one, new_study(tmp_path / "sent", 3))
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    one.wait_for(lambda: len(set(receivers(one)) - set(before)) == ACCEPTORS)
    one.wait_for(one.answers)
    one.wait_for(lambda: one.states("study") == ["ROUTED"])
    send(one, new_study(tmp_path / "more", 2))
    one.kill()
    assert traffic(one).answers == {0: 5}


@pytest.mark.slow
def test_none_outlives_the_daemon(one: Node) -> None:
    pids = receivers(one)
    one.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))
    one.start()
    assert len(receivers(one)) == ACCEPTORS


@pytest.mark.slow
def test_a_port_in_use_is_said(one: Node, tmp_path: Path) -> None:
    with node(tmp_path / "other", one.port, head="acceptors = 2") as other:
        done = other.command("listen")
        assert done.returncode == 2
        assert f"port {one.port}" in done.stderr
