"""From the first schema to the newest: every row keeps what it said, and work goes on with it."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from pacs_ai.domain import JobId
from pacs_ai.store import deliveries, jobs, migrate, overview, version
from pacs_ai.store.columns import Base
from pacs_ai.store.schema import Delivery, Instance, Job, Result, Study
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Database
from tests.databases import upgraded_to
from tests.unit.store.samples import NOW

FIRST = "0001"
RENAMED = {("instance", "sha256"): "digest", ("result", "sha256"): "digest"}
"""Columns of the first schema that have another name now."""

STATES = {
    "study": ("RECEIVING", "COMPLETE", "ROUTED", "CONFLICT", "PURGED"),
    "job": ("QUEUED", "RUNNING", "WAITING", "SUCCEEDED", "REJECTED", "FAILED"),
    "delivery": ("PENDING", "SENDING", "WAITING", "STORED", "COMMITTED", "FAILED"),
}
ROWS = 6
Rows = dict[str, list[dict[str, object]]]


def value(table: str, column: sa.Column[object], number: int) -> object:
    """Something that no other column and no other row has, where its type lets that be."""
    if column.name == "state":
        states = STATES[table]
        return states[number % len(states)]
    kind = column.type.python_type
    if column.name == "id" or column.foreign_keys:
        return f"job-{number}" if kind is str else number + 1
    if column.nullable and number % 2:
        return None
    values: dict[type, object] = {
        datetime: NOW + timedelta(seconds=len(column.name), days=number),
        int: 1 if column.name == "revision" else 1000 + number,
        str: f"{number}.{column.name}"[: getattr(column.type, "length", None) or 40],
    }
    return values.get(kind, ["everything", f"rule {number}"])


def filled(database: Database) -> Rows:
    """Put rows into every table of the first schema, and return them."""
    upgraded_to(database, FIRST)
    known = sa.MetaData()
    with database.engine.begin() as connection:
        known.reflect(connection)
        made: Rows = {}
        for table in known.sorted_tables:
            if table.name == "alembic_version":
                continue
            made[table.name] = [
                {column.name: value(table.name, column, number) for column in table.columns}
                for number in range(ROWS)
            ]
            connection.execute(sa.insert(_typed(table)), made[table.name])
            if not database.is_sqlite:
                _count_on(connection, table)
    return made


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let the next id follow the last one, as it does where the database gave them."""
    if isinstance(table.primary_key.columns.values()[0].type, sa.Integer):
        name = f"'{table.name}'"
        connection.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence({name}, 'id'), {ROWS})")


def _typed(table: sa.Table) -> sa.TableClause:
    """The table with the types of the code: PostgreSQL and SQLite reflect JSON differently."""
    now = Base.metadata.tables[table.name]
    names = [RENAMED.get((table.name, column.name), column.name) for column in table.columns]
    columns = zip(table.columns, names, strict=True)
    return sa.table(
        table.name, *(sa.column(old.name, now.columns[name].type) for old, name in columns)
    )


@pytest.fixture
def before(empty_database: Database) -> Rows:
    return filled(empty_database)


def test_every_value_of_the_first_schema_is_there_afterwards(
    before: Rows, empty_database: Database
) -> None:
    migrate.upgrade(empty_database)
    assert version.current(empty_database) == version.SCHEMA_STEP
    assert len(before) == 8, "every table"
    with empty_database.read() as session:
        for name, rows in before.items():
            table = Base.metadata.tables[name]
            key = next(iter(table.primary_key.columns))
            for number, row in enumerate(
                session.execute(sa.select(table).order_by(key)).mappings()
            ):
                said = {
                    RENAMED.get((name, column), column): said
                    for column, said in rows[number].items()
                }
                assert {column: row[column] for column in said} == said, (name, number)
            assert number == ROWS - 1


@pytest.mark.usefixtures("before")
def test_what_was_open_goes_on(empty_database: Database) -> None:
    migrate.upgrade(empty_database)
    with empty_database.write("node/boot/1", NOW) as transaction:
        assert len(overview.jobs(transaction, Filter(limit=100))) == ROWS
        lease = jobs.claim(transaction, JobId("job-0"), 60)
        assert lease is not None
        claimed = deliveries.claim(transaction, JobId("job-0"), "0.destination", lease_seconds=60)
        assert [one.delivery_id for one in claimed] == [1]
    with empty_database.read() as session:
        assert session.get_one(Job, "job-0").state == "RUNNING"
        assert session.get_one(Delivery, 1).state == "SENDING"
        instance = session.get_one(Instance, 1)
        study = session.get_one(Study, instance.study_id)
        assert (instance.calling_aet, study.correction, instance.missing) == (
            study.calling_aet,
            0,
            False,
        )
        assert session.get_one(Result, 1).digest == "0.sha256"
        if empty_database.is_sqlite:
            assert session.execute(sa.text("PRAGMA foreign_key_check")).all() == []
