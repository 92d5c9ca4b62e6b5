"""Bring the database's schema up to this version's, or say why not."""

from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from pacs_ai.errors import ConfigError
from pacs_ai.store.session import Database


def upgrade(database: Database) -> None:
    """Apply all missing schema steps in one transaction each.

    Raises
    ------
    ConfigError
        If the database was written by a newer version.
    """
    _refuse_newer(database)
    with database.engine.connect() as connection:
        settings = _settings()
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def prepare(database: Database) -> None:
    """Make the schema fit at start: SQLite is upgraded, PostgreSQL must have been already.

    Raises
    ------
    ConfigError
        If the schema is newer, or older on PostgreSQL.
    """
    if database.is_sqlite:
        upgrade(database)
        return
    _refuse_newer(database)
    if current(database) != head():
        raise ConfigError("the database's schema is not up to date: run pacs-ai db upgrade")


def current(database: Database) -> str | None:
    """Return the schema step that the database is at; None for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Return the schema step that this version needs."""
    return ScriptDirectory.from_config(_settings()).get_current_head()


def _refuse_newer(database: Database) -> None:
    try:
        step = current(database)
    except sa.exc.OperationalError:
        raise ConfigError("storage.database: no connection; check host, name and rights") from None
    try:
        if step is not None:
            ScriptDirectory.from_config(_settings()).get_revision(step)
    except CommandError:
        raise ConfigError(
            f"the database's schema ({step}) is of a newer pacs-ai: install that version"
        ) from None


def _settings() -> AlembicConfig:
    settings = AlembicConfig()
    settings.set_main_option(
        "script_location", str(resources.files("pacs_ai.store") / "migrations")
    )
    return settings
