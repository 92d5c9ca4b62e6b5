"""Short outages of a running node's surroundings: what waited comes back by itself, unharmed."""

import contextlib
import itertools
import sqlite3
import time
from collections.abc import Iterator

import pytest

from tests.archive import Archive
from tests.node import Node
from tests.samples import sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOCKED_SECONDS = 40
"""Longer than a transaction waits, and much longer than a lease lasts."""


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
    assert running.send(sample()) == [0]
    running.wait_for(lambda: running.states("job") in (["RUNNING"], ["SUCCEEDED"]))
    with locked(running):
        time.sleep(LOCKED_SECONDS)
    running.wait_for(lambda: running.states("delivery") == ["STORED"] * 2)
    crashes = running.query("SELECT state, worker_crashes, node_crashes FROM job")
    assert crashes == [("SUCCEEDED", 0, 0)]
    assert len(peer.uids()) == 2


def test_an_archive_in_trouble_gets_everything_when_it_is_well(running: Node, peer: Archive):
    statuses = itertools.cycle([0x0110, 0xC000, 0x0122, 0xA700, 0x0213])

    def tried_three_times() -> bool:
        peer.status = next(statuses)
        return running.query("SELECT count(*) FROM delivery WHERE attempt >= 3") == [(4,)]

    peer.status = next(statuses)
    assert running.send(sample()) == [0]
    assert running.send(sample("MR_small.dcm")) == [0]
    running.wait_for(tried_three_times)
    assert set(running.states("delivery")) <= {"WAITING", "SENDING"}, running.log
    peer.status = 0x0000
    running.wait_for(lambda: running.states("delivery") == ["STORED"] * 4)
    assert sorted(peer.uids()) == sorted(set(peer.uids()))


def test_a_spool_without_its_mount_is_waited_for(running: Node, peer: Archive):
    """The folder is gone while the study waits, as if its file system were unmounted."""
    assert running.send(sample()) == [0]
    spool = running.folder / "var" / "spool"
    running.wait_for(lambda: running.states("study") == ["COMPLETE"] or running.states("job"))
    spool.rename(spool.with_name("unmounted"))
    running.wait_for(lambda: running.states("job") == ["WAITING"] or waits(running))
    assert not (spool / "site.key").exists(), "a new spool was made in the empty mount point"
    spool.with_name("unmounted").rename(spool)
    running.wait_for(lambda: running.states("delivery") == ["STORED"] * 2)
    assert len(peer.uids()) == 2


def waits(one: Node) -> bool:
    """Whether a worker has seen that this is not its spool, with its task or when it began."""
    return any(text in one.log for text in ("has no site.key", "a task waits for the storage"))
