"""Which commits wait for the disk: what the database is told, transaction by transaction."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW


def test_sqlite_flushes_durable_commits_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/pacs-ai.db")
    for durable in (True, False, False, True, True):
        with database.write("test", NOW, durable=durable) as transaction:
            level = transaction.scalar(sa.text("PRAGMA synchronous"))
            assert level == (2 if durable else 1)
    level = database.write_grouped(lambda one: one.exec_driver_sql("PRAGMA synchronous").scalar())
    assert level == 2, "what a sender is told is durable"
    database.close()


@pytest.mark.parametrize(("durable", "setting"), [(True, "on"), (False, "off")])
def test_postgresql_is_told_for_each_transaction(
    postgres: str, durable: bool, setting: str
) -> None:
    database = Database(postgres)
    for _ in range(2):
        with database.write("test", NOW, durable=durable) as transaction:
            assert transaction.scalar(sa.text("SHOW synchronous_commit")) == setting
        with database.write("test", NOW) as transaction:
            assert transaction.scalar(sa.text("SHOW synchronous_commit")) == "on"
    database.close()


def test_what_is_to_follow_a_commit_follows_it_and_no_rollback(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/pacs-ai.db")
    done: list[str] = []
    with database.write("test", NOW) as transaction:
        transaction.after_commit(lambda: done.append("committed"))
        assert done == []
    with (
        contextlib.suppress(ZeroDivisionError),
        database.write("test", NOW) as transaction,
    ):
        transaction.after_commit(lambda: done.append("rolled back"))
        raise ZeroDivisionError
    assert done == ["committed"]
    database.close()
