"""A backup taken while the node works names only files that it has, and comes back whole."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
import sqlalchemy as sa

from pacs_ai.domain import StudyId
from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.flow import backup
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.audit.verify import verify
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.remove import delete
from pacs_ai.store import migrate, snapshot, studies
from pacs_ai.store.columns import Base
from pacs_ai.store.pairing import pair
from pacs_ai.store.schema import Instance, Study
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool
from tests.databases import emptied
from tests.samples import sample
from tests.unit.flow.conftest import arrive
from tests.unit.flow.ledger_node import node_on, study_delivered

Arrive = Callable[[int], None]


@pytest.fixture
def node(database: Database, tmp_path: Path) -> FlowContext:
    """A node with a delivered study, whose files do not exist, and a ledger."""
    one = node_on(database, tmp_path)
    one = dataclasses.replace(one, secret=pair(database, one.spool.root))
    study_delivered(one)
    with database.engine.begin() as connection:  # its rows come from a sample: give them files
        for table in ("instance", "result"):
            for path in connection.scalars(sa.text(f"SELECT path FROM {table}")):  # noqa: S608
                one.spool.path_of(path).write_bytes(b"a file")
    Sealer(one, "node").all()
    return one


@pytest.fixture
def receive(node: FlowContext) -> Arrive:
    arrivals, ct = Arrivals(), pydicom.dcmread(sample())

    def receive(number: int) -> None:
        ct.StudyInstanceUID = f"1.2.9.{number}"
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}.1"
        assert arrive(node, arrivals, ct, "a").status == 0
        with node.write() as transaction:
            study = transaction.scalars(_of(ct.StudyInstanceUID)).one()
            key = StudyId(study.id)
            assert studies.close(transaction, key, study.revision, reason="quiet")
            assert studies.routed(transaction, key, study.revision, reason="no rule matches")

    return receive


def _of(study_instance_uid: str) -> sa.Select[tuple[Study]]:
    return sa.select(Study).where(Study.study_instance_uid == study_instance_uid)


def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    with database.engine.connect() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }


def restored(node: FlowContext, folder: Path, target: Path) -> FlowContext:
    """Lose everything, and restore it."""
    url = node.database.url
    if node.database.is_sqlite:
        database = Database(f"sqlite:///{target}/pacs-ai.db")
    else:
        database = emptied(url)
    root = target / "spool"
    found = backup.put_back(database, root, folder, lambda: migrate.upgrade(database))
    assert found == backup.read_backup(folder)
    spool = Spool(root, "node")
    secret = pair(database, root)
    assert secret == node.secret
    spool.open()
    return dataclasses.replace(node, database=database, spool=spool)


def absent(node: FlowContext) -> list[str]:
    with node.database.read() as session:
        named = snapshot.named_files(session)
    assert named
    return [path for path in named if not node.spool.path_of(path).is_file()]


def test_everything_comes_back_and_the_ledger_is_whole(
    node: FlowContext, receive: Arrive, tmp_path: Path
) -> None:
    receive(1)
    aside = node.spool.home / "quarantine" / "odd.dcm"
    aside.write_bytes(b"odd")
    os.utime(aside, (1, 1))
    made = backup.back_up(node, tmp_path / "backup")
    assert made.files == 3
    before, key = rows(node.database), (node.spool.root / "site.key").read_bytes()
    again = restored(node, tmp_path / "backup", tmp_path / "new")
    assert rows(again.database) == before
    assert absent(again) == []
    assert (again.spool.root / "site.key").read_bytes() == key
    assert (again.spool.home / "quarantine" / "odd.dcm").stat().st_mtime == 1
    backup.note_restored(again, made)
    Sealer(again, "node").all()
    assert verify(again).problems == ()
    again.database.close()


def test_what_comes_and_goes_meanwhile_leaves_no_row_without_a_file(
    node: FlowContext, receive: Arrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study arrives and another is deleted before each step of the backup."""
    number = 0
    for number in range(1, 4):
        receive(number)

    def busy(step: Callable[..., object]) -> Callable[..., object]:
        def stepped(*args: object, **kwargs: object) -> object:
            nonlocal number
            number += 1
            receive(number)
            with node.database.read() as session:
                oldest = session.scalars(
                    sa.select(Study).where(
                        Study.study_instance_uid.startswith("1.2.9."), Study.state == "ROUTED"
                    )
                ).first()
            assert oldest is not None
            if number < 9:
                delete(node, oldest)
            return step(*args, **kwargs)

        return stepped

    monkeypatch.setattr(backup, "copy_files", busy(backup.copy_files))
    monkeypatch.setattr(snapshot, "write_snapshot", busy(snapshot.write_snapshot))
    backup.back_up(node, tmp_path / "backup")
    monkeypatch.undo()
    again = restored(node, tmp_path / "backup", tmp_path / "new")
    assert absent(again) == []
    stored = {path.name for path in again.spool.root.rglob("instances/*/*.dcm")}
    with again.database.read() as session:
        named = {Path(path).name for path in session.scalars(sa.select(Instance.path))}
    assert stored == named, "a deleted study must not come back by its file"
    again.database.close()


def test_a_second_backup_copies_new_files_only_and_replaces_the_first(
    node: FlowContext, receive: Arrive, tmp_path: Path
) -> None:
    folder = tmp_path / "backup"
    receive(1)
    backup.back_up(node, folder)
    kept = {path: path.stat().st_ino for path in folder.rglob("*.dcm")}
    with node.database.read() as session:
        study = session.scalars(_of("1.2.9.1")).one()
    delete(node, study)
    receive(2)
    backup.back_up(node, folder)
    now = {path: path.stat().st_ino for path in folder.rglob("*.dcm")}
    assert len(now) == len(kept)
    assert len(now.items() & kept.items()) == len(kept) - 1
    assert len(list(folder.glob("database-*"))) == 1


def test_one_that_breaks_off_leaves_the_one_before(
    node: FlowContext, receive: Arrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "backup"
    first = backup.back_up(node, folder)
    receive(1)

    def no_room(*_: object) -> set[str]:
        raise StorageError("no room")

    monkeypatch.setattr(snapshot, "write_snapshot", no_room)
    with pytest.raises(StorageError, match="no room"):
        backup.back_up(node, folder)
    monkeypatch.undo()
    assert backup.read_backup(folder) == first
    again = restored(node, folder, tmp_path / "new")
    assert absent(again) == []
    again.database.close()


def test_nothing_in_use_is_overwritten(node: FlowContext, tmp_path: Path) -> None:
    backup.back_up(node, tmp_path / "backup")

    def upgrade() -> None:
        raise AssertionError("must not be reached")

    with pytest.raises(ConfigError, match="the spool"):
        backup.put_back(node.database, node.spool.root, tmp_path / "backup", upgrade)
    with pytest.raises(ConfigError, match="the database is in use"):
        backup.put_back(node.database, tmp_path / "other", tmp_path / "backup", upgrade)
    with pytest.raises(ConfigError, match="no complete backup"):
        backup.put_back(node.database, tmp_path / "other", tmp_path / "absent", upgrade)
    with pytest.raises(ConfigError, match="lies in the spool"):
        backup.back_up(node, node.spool.home / "backup")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(ConfigError, match="neither empty nor a backup"):
        backup.back_up(node, tmp_path / "full")


def test_a_backup_of_a_newer_version_is_refused(node: FlowContext, tmp_path: Path) -> None:
    backup.back_up(node, tmp_path / "backup")
    manifest = tmp_path / "backup" / backup.MANIFEST
    made = backup.read_backup(tmp_path / "backup")
    manifest.write_text(manifest.read_text().replace(f'"{made.schema}"', '"9999"'))
    with pytest.raises(ConfigError, match="newer pacs-ai"):
        backup.put_back(node.database, tmp_path / "other", tmp_path / "backup", lambda: None)


def test_a_backup_without_its_database_is_refused(node: FlowContext, tmp_path: Path) -> None:
    made = backup.back_up(node, tmp_path / "backup")
    shutil.move(tmp_path / "backup" / made.database, tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is missing"):
        backup.read_backup(tmp_path / "backup")
