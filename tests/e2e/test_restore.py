"""A backup of the database without the spool, or of the spool without the database, put back."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.archive import Archive
from tests.node import Node
from tests.samples import sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def one(running: Node, peer: Archive) -> Node:
    """A node that has delivered one study, and is stopped."""
    assert running.send(sample()) == [0]
    delivered(running, 2)
    assert len(peer.stored) == 2
    assert running.stop() == 0
    return running


def delivered(one: Node, results: int) -> None:
    one.wait_for(lambda: one.states("delivery") == ["STORED"] * results)


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
    assert one.send(sample("MR_small.dcm")) == [0]
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
    assert one.send(sample("MR_small.dcm")) == [0]
    delivered(one, 4)
    assert one.stop() == 0
    shutil.rmtree(spool)
    shutil.copytree(tmp_path / "backup", spool)
    one.start()
    one.wait_for(lambda: "a stored file is gone" in one.log)
    assert one.query("SELECT missing FROM instance ORDER BY id") == [(0,), (1,)]
    (study,) = one.query("SELECT id FROM study ORDER BY id DESC LIMIT 1")
    number = str(study[0])
    assert "file is missing" in one.command("studies", "show", number, "--all").stdout
    assert one.command("studies", "reroute", number).returncode == 0
    one.wait_for(
        lambda: "STORAGE" in str(one.query("SELECT error_code FROM job")),
    )
    assert one.send(sample("MR_small.dcm")) == [0]
    assert one.query("SELECT missing FROM instance ORDER BY id") == [(0,), (0,)]
    assert one.command("jobs", "retry", "--study", number, "--state", "waiting").returncode == 0
    one.command("jobs", "retry", "--study", number, "--state", "failed")
    one.wait_for(lambda: one.states("job") == ["SUCCEEDED"] * 3)


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
