"""The schema step this version needs, known without loading Alembic.

At most starts there is nothing to migrate: one row is compared, and that is all.
"""

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.store.session import Database

SCHEMA_STEP = "0031"
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


def require(database: Database) -> None:
    """Raise `ConfigError` unless the database is at this version's schema step."""
    step = current(database)
    if step != SCHEMA_STEP:
        raise ConfigError(remedy(step))


def refuse_older(database: Database) -> None:
    """Raise `ConfigError` if the database is at an older schema step than this version's.

    A newer one is let through: it only has additions (docs/cluster.md, Upgrades). So a node that
    was running before an upgrade of the schema can replace its child processes.
    """
    step = current(database)
    if step is None or step < SCHEMA_STEP:
        raise ConfigError(remedy(step))


def remedy(step: str | None) -> str:
    """Say what to do about a schema step that is not this version's."""
    if step is not None and step > SCHEMA_STEP:
        return f"the database's schema ({step}) is of a newer pacs-ai: install that version"
    return "the database's schema is not this version's: run pacs-ai db upgrade"
