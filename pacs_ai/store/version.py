"""The schema step this version needs, known without loading Alembic.

Most starts have nothing to migrate: they compare one row and go on.
"""

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.store.session import Database

SCHEMA_STEP = "0004"
"""Newest step in ``migrations/versions``."""

_VERSIONS = sa.table("alembic_version", sa.column("version_num"))


def current(database: Database) -> str | None:
    """Return the schema step that the database is at; None for an empty one.

    Raises
    ------
    ConfigError
        If the file is no database, or cannot be opened.
    StorageError
        If the server does not answer, or does not let us in.
    """
    try:
        with database.engine.connect() as connection:
            if not sa.inspect(connection).has_table(_VERSIONS.name):
                return None
            step: str | None = connection.scalar(sa.select(_VERSIONS.c.version_num))
            return step
    except DBAPIError:
        if not database.is_sqlite:  # the server may come up later
            raise StorageError(
                "storage.database: no connection; check that the server runs, host, name and rights"
            ) from None
        raise ConfigError(
            "storage.database: no connection, or no database; check the file and its rights"
        ) from None


def remedy(step: str | None) -> str:
    """Say what to do about a schema step that is not this version's."""
    if step is not None and step > SCHEMA_STEP:
        return f"the database's schema ({step}) is of a newer pacs-ai: install that version"
    return "the database's schema is not this version's: run pacs-ai db upgrade"


def prepare(database: Database) -> None:
    """Make the schema fit at start: SQLite is upgraded, PostgreSQL must have been already.

    Raises
    ------
    ConfigError
        If the schema is newer, or older on PostgreSQL.
    """
    if current(database) == SCHEMA_STEP:
        return
    from pacs_ai.store import migrate  # noqa: PLC0415 - loads Alembic, half a second

    if not database.is_sqlite:
        migrate.refuse_newer(database)
        raise ConfigError("the database's schema is not up to date: run pacs-ai db upgrade")
    migrate.upgrade(database)
