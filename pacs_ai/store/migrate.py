"""Bring the database's schema up to this version's, or say why not."""

import contextlib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from pacs_ai.errors import ConfigError
from pacs_ai.store.session import Database
from pacs_ai.store.version import current


def upgrade(database: Database) -> None:
    """Apply all missing schema steps in one transaction each.

    Raises
    ------
    ConfigError
        If the database was written by a newer version.
    """
    refuse_newer(database)
    with database.engine.connect() as connection:
        settings = _settings()
        settings.attributes["connection"] = connection
        sqlite = database.is_sqlite
        with _references_unchecked(connection) if sqlite else contextlib.nullcontext():
            command.upgrade(settings, "head")


def head() -> str | None:
    """Return the newest step there is; `SCHEMA_STEP` must name it."""
    return ScriptDirectory.from_config(_settings()).get_current_head()


def refuse_newer(database: Database) -> None:
    """Raise `ConfigError` for a schema step that this version does not know."""
    step = current(database)
    try:
        if step is not None:
            ScriptDirectory.from_config(_settings()).get_revision(step)
    except CommandError:
        raise ConfigError(
            f"the database's schema ({step}) is of a newer pacs-ai: install that version"
        ) from None


@contextlib.contextmanager
def _references_unchecked(connection: sa.Connection) -> Iterator[None]:
    """Let a step make a table of SQLite anew to which rows of other tables refer.

    To drop the old table is an error while references are checked, even if the new one takes its
    name. Inside a transaction the pragma does nothing.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.rollback()
        driver.execute("PRAGMA foreign_keys=ON")


def _settings() -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option(
        "script_location", str(resources.files("pacs_ai.store") / "migrations")
    )
    return settings
