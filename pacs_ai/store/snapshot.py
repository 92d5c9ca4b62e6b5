"""A consistent copy of the whole database while others write, and how it is put back.

SQLite copies its pages inside one read transaction. PostgreSQL's ``pg_dump`` reads the snapshot
that a transaction of ours exports, in which we look up the files that rows name.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.files import PRIVATE, translated
from pacs_ai.store import instances, results
from pacs_ai.store.driver_errors import translated as database_translated
from pacs_ai.store.session import Database, Session

SQLITE_SUFFIX, POSTGRESQL_SUFFIX = ".db", ".dump"
"""How the names of copies end."""

_AT_ONCE = 10_000
"""So many paths are read by one query."""


def suffix(database: Database) -> str:
    """Return how the name of a copy of this database ends."""
    return SQLITE_SUFFIX if database.is_sqlite else POSTGRESQL_SUFFIX


def write_snapshot(database: Database, target: Path) -> set[str]:
    """Write a copy of the database, and return the files of the spool that its rows name.

    Parameters
    ----------
    target
        A new file; `suffix` says how its name ends.

    Returns
    -------
    set of str
        Paths relative to the spool's root; without those that were missing already.

    Raises
    ------
    ConfigError
        If ``pg_dump`` is not installed.
    StorageError
        If the copy cannot be written, or is not whole.
    """
    with translated(target, "cannot be written"):
        target.touch(mode=PRIVATE, exist_ok=False)
    if database.is_sqlite:
        return _copy_sqlite(_file(database), target)
    return _dump_postgresql(database, target)


def put_back(copy: Path, database: Database) -> None:
    """Fill an empty database with a copy.

    Raises
    ------
    ConfigError
        If ``pg_restore`` is not installed, or the copy is one of another kind of database.
    StorageError
        If the database cannot be written.
    """
    if copy.suffix != suffix(database):
        raise ConfigError(
            f"{copy.name} is a copy of another kind of database than storage.database"
        )
    if not database.is_sqlite:
        _run_postgresql(database, ["pg_restore", "--exit-on-error", "--single-transaction"], copy)
        return
    target = _file(database)
    with (
        database_translated(),
        contextlib.closing(sqlite3.connect(copy)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)


def _file(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def _copy_sqlite(source: Path, target: Path) -> set[str]:
    with (
        database_translated(),
        contextlib.closing(sqlite3.connect(source)) as old,
        contextlib.closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        (found,) = new.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StorageError("the copy of the database is damaged: check the disks, and try again")
    copied = sa.create_engine(f"sqlite:///{target}")
    try:
        with database_translated(), Session(copied) as session:
            return named_files(session)
    finally:
        copied.dispose()


def _dump_postgresql(database: Database, target: Path) -> set[str]:
    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    with database_translated(), Session(engine) as session:
        session.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        snapshot = session.scalar(sa.text("SELECT pg_export_snapshot()"))
        named = named_files(session)
        _run_postgresql(
            database, ["pg_dump", "--format=custom", f"--snapshot={snapshot}", "--file"], target
        )
    return named


def _run_postgresql(database: Database, command: Sequence[str], file: Path) -> None:
    """Run a program of PostgreSQL; the password goes by the environment, not by the arguments."""
    program = shutil.which(command[0])
    if program is None:
        raise ConfigError(
            f"{command[0]} is not installed: it comes with the client programs of PostgreSQL"
        )
    url = make_url(database.url)
    where = url.set(drivername="postgresql", password=None).render_as_string()
    password = {} if url.password is None else {"PGPASSWORD": str(url.password)}
    done = subprocess.run(  # noqa: S603 - a program of the system, without a shell
        [program, "--no-owner", f"--dbname={where}", *command[1:], file],
        env={**os.environ, **password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise StorageError(f"{command[0]} has failed: {reason}")


def named_files(session: Session) -> set[str]:
    """Return the files of the spool that rows name, relative to its root.

    Files that were missing when the node looked are left out.
    """
    try:
        named = {
            path
            for read in (
                partial(instances.paths, session, ""),
                partial(instances.variant_paths, session, ""),
                partial(results.paths, session),
            )
            for path in _all(read)
        }
        return named.difference(_all(partial(instances.missing_paths, session)))
    except SQLAlchemyError:
        raise StorageError(
            "the database's schema is not this version's: run pacs-ai db upgrade"
        ) from None


def _all(read: Callable[[str, int], Sequence[str]]) -> Iterator[str]:
    """Yield all paths that a function returns in batches, each after the last one of another."""
    last = ""
    while some := read(last, _AT_ONCE):
        yield from some
        last = some[-1]
