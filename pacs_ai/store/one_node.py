"""Work that one node at a time does: an advisory lock of PostgreSQL says which one.

It spares work and waits, and nothing depends on it: whatever a sweep changes is fenced by its row.
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pacs_ai.store.driver_errors import translated
from pacs_ai.store.session import Database

IDLE_SECONDS = 20
"""A node that holds the lock for longer may have been frozen: others go on without it."""

_IDLE = sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(hashtext(:name))")


@contextlib.contextmanager
def one_node(database: Database, name: str) -> Iterator[bool]:
    """Tell a block whether this node is the one that does something now.

    On SQLite it always is: nodes that share a file of SQLite run on one machine.

    Raises
    ------
    DatabaseBusy, StorageError
        If the database cannot be asked.
    """
    if database.is_sqlite:
        yield True
        return
    with translated():
        connection = database.engine.connect()
    try:
        with translated():
            connection.execute(_IDLE)
            first: bool = connection.scalars(_LOCK, {"name": f"pacs_ai.{name}"}).one()
        yield first
    finally:
        with contextlib.suppress(DBAPIError):  # PostgreSQL has ended what took too long
            connection.close()
