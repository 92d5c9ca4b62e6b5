"""Databases for tests that run on SQLite and on PostgreSQL."""

import sqlalchemy as sa

from pacs_ai.store.session import Database


def emptied(url: str) -> Database:
    """Open a PostgreSQL database, and remove all its tables."""
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    return database
