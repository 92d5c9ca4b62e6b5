"""A database and a spool know each other, and neither is taken for another's."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pacs_ai.errors import ConfigError
from pacs_ai.store import keyed, pairing, prior_tables, sitekey  # noqa: F401 - tables
from pacs_ai.store.columns import HEX, Base
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW, routed_job


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def used(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        routed_job(transaction)


def forget(database: Database) -> None:
    """Make it a database of a version that knew nothing of its spool."""
    with database.write("test", NOW) as transaction:
        transaction.execute(sa.text("DELETE FROM meta"))


def test_a_new_pair_stays_together(database: Database, root: Path):
    key = pairing.pair(database, root)
    used(database)
    assert pairing.pair(database, root) == key
    assert (root / sitekey.KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_the_key_itself_is_not_in_the_database(database: Database, root: Path):
    key = pairing.pair(database, root)
    with database.read() as session:
        values = session.scalars(sa.text("SELECT value FROM meta")).all()
    assert len(values) == 2
    assert all(key.hex() not in value for value in values)


def test_a_spool_without_its_key_is_refused_and_gets_no_other(database: Database, root: Path):
    pairing.pair(database, root)
    (root / sitekey.KEY_FILE).unlink()
    with pytest.raises(ConfigError, match=r"has no site\.key.*db rekey"):
        pairing.pair(database, root)
    assert not (root / sitekey.KEY_FILE).exists()


def test_the_empty_folder_of_a_mount_that_is_not_there_is_refused(database: Database, root: Path):
    pairing.pair(database, root)
    elsewhere = root.with_name("mountpoint")
    with pytest.raises(ConfigError, match="mount"):
        pairing.pair(database, elsewhere)
    assert not elsewhere.exists()


def test_the_key_of_another_installation_is_refused(database: Database, root: Path):
    pairing.pair(database, root)
    (root / sitekey.KEY_FILE).write_bytes(bytes(32))
    with pytest.raises(ConfigError, match=r"another site\.key"):
        pairing.pair(database, root)


def test_a_spool_of_another_database_is_refused(database: Database, root: Path):
    pairing.pair(database, root)
    forget(database)
    with pytest.raises(ConfigError, match="belongs to another database"):
        pairing.pair(database, root)


def test_what_an_older_version_left_is_paired_at_its_first_start(database: Database, root: Path):
    key = pairing.pair(database, root)
    used(database)
    forget(database)
    (root / sitekey.MARK_FILE).unlink()
    assert pairing.pair(database, root) == key
    (root / sitekey.KEY_FILE).write_bytes(bytes(32))
    with pytest.raises(ConfigError):
        pairing.pair(database, root)


def test_the_database_from_before_an_upgrade_is_known_by_its_files(database: Database, root: Path):
    """The way back and the next upgrade: the spool was left as it is, and has its mark."""
    key = pairing.pair(database, root)
    used(database)
    forget(database)
    with pytest.raises(ConfigError, match="belongs to another database"):
        pairing.pair(database, root)  # none of its files is there
    with database.read() as session:
        file = root / session.scalars(sa.text("SELECT path FROM instance")).all()[-1]
    file.parent.mkdir(parents=True)
    file.touch()
    mark = sitekey.mark_in(root)
    assert [pairing.pair(database, root) for _ in range(2)] == [key, key]
    with database.read() as session:
        assert pairing.known_by(session).database_id == mark


def test_an_older_database_that_was_used_needs_its_key(database: Database, root: Path):
    used(database)
    with pytest.raises(ConfigError, match=r"has no site\.key"):
        pairing.pair(database, root)


def test_paired_anew_whatever_was_before(database: Database, root: Path):
    pairing.pair(database, root)
    (root / sitekey.KEY_FILE).unlink()
    (root / sitekey.MARK_FILE).write_text("0" * 32)
    with database.write("test", NOW) as transaction:
        key = pairing.pair_anew(transaction, root)
    assert pairing.pair(database, root) == key


def _is_keyed_digest(column: sa.Column[Any]) -> bool:
    """A digest that names its algorithm is one of stored bytes, and is longer."""
    return column.name == "digest" and getattr(column.type, "length", 0) == HEX.length


def test_every_column_that_looks_like_a_keyed_hash_is_in_the_one_list():
    found = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_key") or column.name == "fields" or _is_keyed_digest(column)
    }
    assert found == keyed.KEYED
