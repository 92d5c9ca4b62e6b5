"""Make the schema fit when a node starts."""

from pacs_ai.errors import ConfigError
from pacs_ai.store.session import Database
from pacs_ai.store.version import SCHEMA_STEP, current


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
