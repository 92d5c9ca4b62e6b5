"""A backup of the database without the spool, or of the spool without the database, put back."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
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


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def peer(ports: tuple[int, int]) -> Iterator[Archive]:
    with archive(ports[1], ports[0]) as one:
        yield one


@pytest.fixture
def one(tmp_path: Path, ports: tuple[int, int], peer: Archive) -> Iterator[Node]:
    """A node that has delivered one study, and is stopped."""
    assert peer.port == ports[1]
    with node(tmp_path / "node", ports[0], extra=TO_ARCHIVE.format(port=ports[1])) as started:
        started.start()
        send(started, "CT_small.dcm")
        delivered(started, 2)
        assert started.stop() == 0
        yield started


def send(one: Node, name: str) -> None:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    (outcome,) = store(PeerAddress("AI_NODE", "127.0.0.1", one.port), "MODALITY", [Path(path)])
    assert outcome.status == 0x0000, one.log


def delivered(one: Node, results: int) -> None:
    wait_for(lambda: one.states("delivery") == ["STORED"] * results, 60, lambda: one.log)


def database_of(one: Node) -> Path:
    return one.folder / "var" / "pacs-ai.db"


def copied(source: Path, target: Path) -> None:
    """Copy a database as a backup does."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def removed(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def test_a_database_older_than_its_spool_adopts_what_came_since(
    one: Node, peer: Archive, tmp_path: Path
):
    copied(database_of(one), tmp_path / "backup.db")
    one.start()
    send(one, "MR_small.dcm")
    delivered(one, 4)
    assert one.stop() == 0
    removed(database_of(one))
    copied(tmp_path / "backup.db", database_of(one))
    assert len(one.query("SELECT id FROM instance")) == 1
    one.start()
    delivered(one, 4)
    assert one.states("study") == ["ROUTED"] * 2
    assert one.states("job") == ["SUCCEEDED"] * 2
    # what is made again has the same UIDs: the archive sees repetitions
    assert len(set(peer.uids())) == 4


def test_a_spool_older_than_its_database_is_said_and_mended_by_sending_again(
    one: Node, tmp_path: Path
):
    spool = one.folder / "var" / "spool"
    shutil.copytree(spool, tmp_path / "backup")
    one.start()
    send(one, "MR_small.dcm")
    delivered(one, 4)
    assert one.stop() == 0
    shutil.rmtree(spool)
    shutil.copytree(tmp_path / "backup", spool)
    one.start()
    wait_for(lambda: "a stored file is gone" in one.log, 30, lambda: one.log)
    assert one.query("SELECT missing FROM instance ORDER BY id") == [(0,), (1,)]
    (study,) = one.query("SELECT id FROM study ORDER BY id DESC LIMIT 1")
    number = str(study[0])
    assert "file is missing" in one.command("studies", "show", number, "--all").stdout
    assert one.command("studies", "reroute", number).returncode == 0
    wait_for(
        lambda: "STORAGE" in str(one.query("SELECT error_code FROM job")),
        60,
        lambda: one.log,
    )
    send(one, "MR_small.dcm")
    assert one.query("SELECT missing FROM instance ORDER BY id") == [(0,), (0,)]
    assert one.command("jobs", "retry", "--study", number, "--state", "waiting").returncode == 0
    one.command("jobs", "retry", "--study", number, "--state", "failed")
    wait_for(lambda: one.states("job") == ["SUCCEEDED"] * 3, 60, lambda: one.log)


@pytest.mark.parametrize("fault", ["key", "database", "spool"])
def test_one_without_the_other_is_refused_until_it_is_rekeyed(one: Node, fault: str):
    spool = one.folder / "var" / "spool"
    if fault == "key":
        (spool / "site.key").unlink()
    elif fault == "database":
        removed(database_of(one))
    else:
        spool.rename(spool.with_name("unmounted"))
    refused = one.command("listen")
    assert refused.returncode == 2
    assert "db rekey" in refused.stderr
    assert not (spool / "site.key").exists() or fault == "database"
    rekeyed = one.command("db", "rekey")
    assert rekeyed.returncode == 0, rekeyed.stderr
    one.start()
    if fault == "spool":
        assert "a stored file is gone" in one.log
    else:
        # the files of a lost database are adopted, analysed, and delivered under the same UIDs
        delivered(one, 2)
    assert one.states("study") == ["ROUTED"]
