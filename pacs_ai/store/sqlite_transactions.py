"""How connections to SQLite are set up, and how their transactions begin."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from pacs_ai.clock import pause

BUSY_SECONDS = 30.0
"""How long a transaction waits for another before it gives up."""

_SHORTEST, _LONGEST, _SHARE = 0.001, 0.02, 0.25
"""Pause between two looks whether the database can be written: this share of the time that was
waited so far, within limits in seconds."""

_PRIMARY = 0xFF
"""The bits of an extended result code of SQLite that are its primary code."""


_URGENT: ContextVar[bool] = ContextVar("urgent", default=False)


@contextlib.contextmanager
def urgent(*, is_urgent: bool = True) -> Iterator[None]:
    """Let the transactions of a block look as often as possible whether they can write.

    SQLite has no queue: who looks most often is next. Others look less often the longer they have
    waited, so an urgent study waits for hardly more than the transaction at hand.
    """
    before = _URGENT.set(is_urgent)
    try:
        yield
    finally:
        _URGENT.reset(before)


def configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    """Set up a new connection."""
    # the driver must not begin transactions on its own: `begin` does, with the right kind
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_SECONDS * 1000)}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def begin(connection: sa.Connection) -> None:
    """Begin on the driver's connection: SQLAlchemy takes four times as long for it as SQLite."""
    options = connection.get_execution_options()
    driver: Any = connection.connection.driver_connection
    if options.get("immediate"):
        _set_pragma(connection, "synchronous", "FULL" if options["durable"] else "NORMAL")
        _wait_to_write(driver, options["busy_ms"])
    else:
        driver.execute("BEGIN")


def _wait_to_write(driver: sqlite3.Connection, busy_ms: int) -> None:
    """Begin soon after nobody else writes.

    SQLite's own pauses grow up to a tenth of a second. A transaction takes milliseconds, and a
    study waits for a dozen: with pauses in proportion each waits little longer than it has to, and
    where the processor is busy the looks stay few.
    """
    begun, waited = time.monotonic(), 0.0
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not _begun(driver, last=1000 * waited >= busy_ms):
            share = 0.0 if _URGENT.get() else _SHARE
            pause(min(max(share * waited, _SHORTEST), _LONGEST))
            waited = time.monotonic() - begun
    finally:
        driver.execute(f"PRAGMA busy_timeout={busy_ms}")


def _begun(driver: sqlite3.Connection, *, last: bool) -> bool:
    """Begin, or tell that somebody else writes; the last time that is an error."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _set_pragma(connection: sa.Connection, name: str, value: object) -> None:
    """Set a pragma of a connection, unless it has this value already."""
    if connection.info.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name}={value}")
        connection.info[name] = value
