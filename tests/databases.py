"""Databases for tests that run on SQLite and on PostgreSQL."""

import functools
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from sqlalchemy.pool import NullPool

from pacs_ai.store import migrate
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database

TEMPLATE = "pacs_ai_schema"
"""A database of the tests' server that only has the schema."""


def emptied(url: str) -> Database:
    """Open a PostgreSQL database, and remove all its tables."""
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    return database


def with_schema(url: str) -> Database:
    """Open a PostgreSQL database anew: it has the schema, and no row of ours."""
    _make_template(url)
    _replace(url, sa.make_url(url).database, TEMPLATE)
    return Database(url)


@functools.cache
def _make_template(url: str) -> None:
    """Make the schema once in a process: a copy takes a tenth of the time."""
    database = emptied(url)
    migrate.upgrade(database)
    database.close()
    _replace(url, TEMPLATE, sa.make_url(url).database)


def _replace(url: str, name: str | None, original: str | None) -> None:
    """Make a database of a server a copy of another one."""
    other = sa.create_engine(
        sa.make_url(url).set(database="template1"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with other.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {original}"))


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
