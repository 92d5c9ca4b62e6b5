"""A context on SQLite and on PostgreSQL, for tests of flows that have to be the same on both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.store.session import Database
from tests.databases import new_database, with_schema


@pytest.fixture(params=["sqlite", "postgresql"])
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Database]:
    """Take the place of the fixture of this name that opens SQLite only."""
    if request.param == "sqlite":
        return lambda: new_database(tmp_path)
    url: str = request.getfixturevalue("postgres")

    return lambda: with_schema(url)
