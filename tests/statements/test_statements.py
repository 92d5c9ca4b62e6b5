"""Every statement of the node finds its rows by an index, however many studies there were.

`tests.statements.made` lists them: it calls each function of the store that asks the database for
something. So a new statement is looked at without anybody thinking of it.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.store.columns import Base
from pacs_ai.store.session import Database
from tests.databases import new_database
from tests.large_site import believed, fill_site, prepared
from tests.statements.exempt import WHOLE
from tests.statements.functions import NODE, asking
from tests.statements.listing import Statement
from tests.statements.made import called, statements
from tests.statements.plans import finding

STUDIES, TIMES = 2000, 500
"""Studies with rows, and how many times as many the planner believes in: 10 million instances."""

KEPT = {"identity"}
"""Tables of which no row is ever deleted: nothing looks for what refers to them."""

NOT_CALLED = {
    "store/insert_instance.py _prepared.<locals>.elsewhere": "insert_instance calls it",
}
"""Functions inside of others."""


@pytest.fixture(scope="module")
def site(postgres: str) -> Iterator[Database]:
    with contextlib.closing(prepared(postgres)) as database:
        fill_site(database, STUDIES, waiting=20)
        believed(database, TIMES)
        yield database


@pytest.fixture(scope="module")
def made(site: Database) -> list[Statement]:
    found, errors = statements(site)
    known = found.inserts.union(*(one.places for one in found.by_key.values()))
    left = {place: errors.get(place, "") for place in called() if place not in known}
    assert left == {}, "these functions asked for nothing: tests.statements.invented gives values"
    return list(found.by_key.values())


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, site: Database, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        yield site
        return
    with contextlib.closing(new_database(tmp_path)) as empty:
        yield empty  # SQLite takes every table for large, unless it has counted


@contextlib.contextmanager
def without(database: Database, index: str) -> Iterator[None]:
    """Let a database do without an index; PostgreSQL would count the rows if it made it again."""
    if database.is_sqlite:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP INDEX {index}")
        yield
        return
    _show(database, index, valid=False)
    try:
        yield
    finally:
        _show(database, index, valid=True)


def _show(database: Database, index: str, *, valid: bool) -> None:
    change = "UPDATE pg_index SET indisvalid = :valid WHERE indexrelid = to_regclass(:name)"
    with database.engine.begin() as connection:
        connection.execute(sa.text(change), {"valid": valid, "name": index})


def too_much(database: Database, made: list[Statement]) -> dict[str, str]:
    """Say of each statement that reads too much why, by the functions that make it."""
    found = [(one, finding(database, one)) for one in made]
    assert sum(plan is not None for _, plan in found) > len(made) * 0.9
    return {", ".join(one.places): plan.bad for one, plan in found if plan is not None and plan.bad}


def test_each_statement_finds_its_rows_by_an_index(
    made: list[Statement], database: Database
) -> None:
    found = too_much(database, made)
    assert {places: bad for places, bad in found.items() if places not in WHOLE} == {}
    assert set(WHOLE) - set(found) == set()  # nobody is excused in vain


@pytest.mark.parametrize(
    ("index", "place"),
    [
        ("ix_instance_study_id", "store/instances.py of_revision"),
        ("ix_pull_study_instance_uid", "store/pulls.py of_studies"),
        ("ix_study_corrected", "store/withdrawals.py studies_that_owe"),
        ("ix_notification_key", "store/notifications.py add"),
    ],
)
def test_a_statement_without_its_index_is_found(
    made: list[Statement], database: Database, index: str, place: str
) -> None:
    assert not any(place in places for places in too_much(database, made))
    with without(database, index):
        assert any(place in places for places in too_much(database, made))


def test_every_function_that_asks_the_database_is_called() -> None:
    outside = {place for place in asking() if not place.startswith("store/")}
    assert outside == set()
    inside = {place for place in asking() if "." in place.split()[1]}
    assert inside == set(NOT_CALLED)
    assert all((NODE / place.split()[0]).exists() for place in WHOLE)


def test_what_refers_to_rows_that_are_deleted_has_an_index() -> None:
    """A database looks for it itself at each deletion."""
    without = []
    for table in Base.metadata.tables.values():
        begins = [next(iter(table.primary_key.columns))]
        begins += [next(iter(index.columns)) for index in table.indexes]
        begins += [
            next(iter(one.columns))
            for one in table.constraints
            if isinstance(one, sa.UniqueConstraint)
        ]
        for key in table.foreign_keys:
            if key.parent not in begins and key.column.table.name not in KEPT:
                without.append(str(key.parent))
    assert without == []
