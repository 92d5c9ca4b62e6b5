"""Short outages of a running node's surroundings: what waited comes back by itself, unharmed."""

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import Archive, archive
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

TO_ARCHIVE = """
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
"""

LOCKED_SECONDS = 40
"""Longer than a transaction waits, and much longer than a lease lasts."""


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def peer(ports: tuple[int, int]) -> Iterator[Archive]:
    with archive(ports[1], ports[0]) as one:
        yield one


@pytest.fixture
def running(tmp_path: Path, ports: tuple[int, int], peer: Archive) -> Iterator[Node]:
    assert peer.port == ports[1]
    with node(tmp_path / "node", ports[0], extra=TO_ARCHIVE.format(port=ports[1])) as one:
        one.start()
        yield one


def send(one: Node, name: str = "CT_small.dcm") -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    (outcome,) = store(PeerAddress("AI_NODE", "127.0.0.1", one.port), "MODALITY", [Path(path)])
    assert outcome.status == 0x0000


@contextlib.contextmanager
def locked(one: Node) -> Iterator[None]:
    """Hold the database as a backup or a forgotten shell would."""
    other = sqlite3.connect(one.folder / "var" / "pacs-ai.db", isolation_level=None, timeout=30)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_database_locked_for_longer_than_leases_last_costs_no_attempt(
    running: Node, peer: Archive
):
    send(running)
    wait_for(lambda: running.states("job") == ["RUNNING"], 30, lambda: running.log)
    with locked(running):
        time.sleep(LOCKED_SECONDS)
    wait_for(lambda: running.states("delivery") == ["STORED"] * 2, 60, lambda: running.log)
    crashes = running.query("SELECT state, worker_crashes, node_crashes FROM job")
    assert crashes == [("SUCCEEDED", 0, 0)]
    assert len(peer.uids()) == 2


def test_an_archive_in_trouble_gets_everything_when_it_is_well(running: Node, peer: Archive):
    statuses = itertools.cycle([0x0110, 0xC000, 0x0122, 0xA700, 0x0213])

    def tried_three_times() -> bool:
        peer.status = next(statuses)
        return running.query("SELECT count(*) FROM delivery WHERE attempt >= 3") == [(4,)]

    peer.status = next(statuses)
    send(running)
    send(running, "MR_small.dcm")
    wait_for(tried_three_times, 150, lambda: running.log)
    assert set(running.states("delivery")) <= {"WAITING", "SENDING"}, running.log
    peer.status = 0x0000
    wait_for(lambda: running.states("delivery") == ["STORED"] * 4, 150, lambda: running.log)
    assert sorted(peer.uids()) == sorted(set(peer.uids()))


def test_a_spool_without_its_mount_is_waited_for(running: Node, peer: Archive):
    """The folder is gone while the study waits, as if its file system were unmounted."""
    send(running)
    spool = running.folder / "var" / "spool"
    wait_for(lambda: running.states("study") == ["COMPLETE"] or running.states("job"), 30)
    spool.rename(spool.with_name("unmounted"))
    wait_for(lambda: running.states("job") == ["WAITING"] or no_key(running), 90)
    assert not (spool / "site.key").exists(), "a new spool was made in the empty mount point"
    spool.with_name("unmounted").rename(spool)
    wait_for(lambda: running.states("delivery") == ["STORED"] * 2, 90, lambda: running.log)
    assert len(peer.uids()) == 2


def no_key(one: Node) -> bool:
    """Whether a worker that began meanwhile has seen that this is not its spool."""
    return "has no site.key" in one.log
