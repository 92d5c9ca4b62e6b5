"""Databases for tests that run on SQLite and on PostgreSQL."""

import functools
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from pacs_ai.store import migrate
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database


def emptied(url: str) -> Database:
    """Open a PostgreSQL database, and remove all its tables."""
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    return database


def upgraded_to(database: Database, step: str) -> None:
    """Bring an empty or older database to a step of the schema."""
    with database.engine.connect() as connection:
        settings = migrate._settings()
        settings.attributes["connection"] = connection
        command.upgrade(settings, step)


def new_database(folder: Path) -> Database:
    """Open the SQLite database ``pacs-ai.db`` of a folder; a new one has the schema."""
    path = folder / "pacs-ai.db"
    if not path.exists():
        write_schema(path)
    return Database(f"sqlite:///{path}")


def write_schema(path: Path) -> None:
    """Make an SQLite file that holds nothing yet an empty database with the schema."""
    path.write_bytes(_new_file())


@functools.cache
def _new_file() -> bytes:
    """Make the schema once in a process: every migration takes its time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.db"
        database = Database(f"sqlite:///{path}")
        prepare(database)
        database.close()
        return path.read_bytes()
