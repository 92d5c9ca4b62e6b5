from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_ai.store.session import Database
from tests.databases import emptied, with_schema, write_schema

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/pacs-ai.db")
    else:
        database = emptied(request.getfixturevalue("postgres"))
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database, tmp_path: Path) -> Database:
    if empty_database.is_sqlite:
        write_schema(tmp_path / "pacs-ai.db")
    else:
        empty_database.engine.dispose()  # its connections end with what they are connected to
        with_schema(empty_database.url).close()
    return empty_database
