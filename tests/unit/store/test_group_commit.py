"""Transactions that share a commit: none is lost, and a failure is its owner's alone."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.errors import DatabaseBusy, StorageError
from pacs_ai.store.group_commit import GroupCommit
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW


def commits(database: Database) -> list[int]:
    counted: list[int] = []
    sa.event.listen(database.engine, "commit", lambda _: counted.append(1))
    return counted


def insert(connection: sa.Connection, number: int) -> int:
    connection.execute(sa.text("INSERT INTO note VALUES (:number)"), {"number": number})
    return number


@pytest.fixture
def noting(database: Database) -> Database:
    with database.write("test", NOW) as transaction:
        transaction.execute(sa.text("CREATE TABLE note (number INTEGER PRIMARY KEY)"))
    return database


def numbers(database: Database) -> list[int]:
    with database.read() as session:
        return list(session.scalars(sa.text("SELECT number FROM note ORDER BY number")))


def at_once(works: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def gathered(
    database: Database, works: list[Callable[[sa.Connection], object]]
) -> tuple[list[object], list[str]]:
    """Run works that all arrive while a first one is being done."""
    results: list[object] = []
    errors: list[str] = []
    entered, go_on = threading.Event(), threading.Event()

    def first(connection: sa.Connection) -> int:
        entered.set()
        go_on.wait(10)
        return insert(connection, 0)

    def run(work: Callable[[sa.Connection], object]) -> None:
        try:
            results.append(database.write_grouped(work))
        except StorageError as error:
            errors.append(error.code)

    leader = threading.Thread(target=run, args=(first,))
    leader.start()
    assert entered.wait(10)
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    while len(database._group_commit._waiting) < len(works):
        pass
    go_on.set()
    for thread in (leader, *threads):
        thread.join(10)
    return results, errors


def test_those_who_wait_share_a_commit(noting: Database) -> None:
    counted = commits(noting)
    works = [lambda connection, n=number: insert(connection, n) for number in range(1, 9)]
    results, errors = gathered(noting, works)  # type: ignore[arg-type]
    assert (sorted(results), errors) == (list(range(9)), [])  # type: ignore[type-var]
    assert numbers(noting) == list(range(9))
    assert len(counted) == 2


def test_a_failure_is_its_owner_s_alone(noting: Database) -> None:
    works = [lambda connection, n=number: insert(connection, n) for number in (1, 0, 2)]
    results, errors = gathered(noting, works)  # type: ignore[arg-type]
    assert (sorted(results), errors) == ([0, 1, 2], ["STORAGE"])  # type: ignore[type-var]
    assert numbers(noting) == [0, 1, 2]


def test_many_at_once(noting: Database) -> None:
    at_once(
        [
            lambda n=number: noting.write_grouped(lambda connection: insert(connection, n))  # type: ignore[misc]
            for number in range(100)
        ]
    )
    assert numbers(noting) == list(range(100))


def test_a_busy_database_is_not_asked_once_for_each() -> None:
    asked: list[int] = []

    def busy() -> "sa.Connection":
        asked.append(1)
        raise DatabaseBusy("locked")

    group = GroupCommit(busy)  # type: ignore[arg-type]
    with pytest.raises(DatabaseBusy):
        group.run(lambda connection: connection)
    assert asked == [1]
    with pytest.raises(DatabaseBusy):
        group.run(lambda connection: connection)


def test_after_a_lock_the_kept_connection_still_makes_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_ai.store.session.RECEIVE_BUSY_SECONDS", 0.05)
    database = Database(f"sqlite:///{tmp_path}/notes.db")
    with database.write("test", NOW) as transaction:
        transaction.execute(sa.text("CREATE TABLE note (number INTEGER PRIMARY KEY)"))
    with database.write("test", NOW) as other:
        insert(other.connection(), 1)
        with pytest.raises(DatabaseBusy):
            database.write_grouped(lambda connection: insert(connection, 2))

    def fail(connection: sa.Connection) -> None:
        insert(connection, 4)
        raise LookupError

    assert database.write_grouped(lambda connection: insert(connection, 3)) == 3
    with pytest.raises(LookupError):
        database.write_grouped(fail)
    assert numbers(database) == [1, 3], "the one is committed, the other taken back"
    database.close()


def test_a_connection_that_broke_is_made_anew(postgres: str) -> None:
    database = Database(postgres)

    def process(connection: sa.Connection) -> int:
        found: int = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        return found

    first = database.write_grouped(process)
    assert database.write_grouped(process) == first, "it is kept"
    with database.write("test", NOW) as transaction:
        transaction.execute(sa.text("SELECT pg_terminate_backend(:process)"), {"process": first})
    with pytest.raises(StorageError):
        database.write_grouped(process)
    assert database.write_grouped(process) != first
    database.close()
