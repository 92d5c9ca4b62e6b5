"""A node without network and models: real database, real spool, a clock that tests move."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.config.sections import Storage
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import tasks
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool
from tests.databases import new_database

OWNER = "node/boot/1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def open_database(tmp_path: Path) -> Callable[[], Database]:
    """Open the database of a context; `tests.both_databases` has another one."""
    return lambda: new_database(tmp_path)


@pytest.fixture
def make_context(
    tmp_path: Path, clock: ManualClock, open_database: Callable[[], Database]
) -> Iterator[Callable[..., FlowContext]]:
    databases: list[Database] = []

    def make(**storage: object) -> FlowContext:
        database = open_database()
        databases.append(database)
        spool = Spool(tmp_path / "spool", "node")
        spool.open()
        config = Config(storage=Storage(min_free_gb=0, **storage))  # type: ignore[arg-type]
        engine = TableEngine(tasks, database, clock, OWNER, 60)
        return FlowContext(config, database, spool, engine, clock, OWNER, b"secret")

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def context(make_context: Callable[..., FlowContext]) -> FlowContext:
    return make_context()
