"""How a database finds the rows of a statement."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from pacs_ai.store.session import Database

Ran = list[tuple[str, Any]]
"""Statements as the driver gets them, with their parameters."""

A_FEW = 6
"""So many rows may be sorted, or passed over: the heads of lines, but no line."""

_DATA = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


def recorded(database: Database, work: Callable[[], object]) -> Ran:
    """Do something, and return the statements on rows that this made."""
    ran: Ran = []

    def note(
        _connection: object, _cursor: object, statement: str, values: object, *_others: object
    ) -> None:
        if statement.lstrip().upper().startswith(_DATA):
            ran.append((statement, values))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)
    return ran


def plan(database: Database, statement: str, values: Any, options: str = "") -> dict[str, Any]:
    """Return the plan of PostgreSQL for a statement; what it changes meanwhile is undone."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        how = f"EXPLAIN (FORMAT JSON{options}) {statement}"
        found = connection.exec_driver_sql(how, values).scalar_one()
        transaction.rollback()
    made: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return made


def nodes(of: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node of a plan and all below it."""
    yield of
    for below in of.get("Plans", ()):
        yield from nodes(below)


def rows_passed_over(database: Database, statement: str, values: Any) -> int:
    """Return how many rows a statement reads that it does not need.

    On SQLite, which does not tell, this is how many tables it does not search by an index.
    """
    if database.is_sqlite:
        with database.engine.connect() as connection:
            query = f"EXPLAIN QUERY PLAN {statement}"
            steps = [row.detail for row in connection.exec_driver_sql(query, values)]
        scans = ("SCAN task", "USE TEMP B-TREE FOR LAST", "USE TEMP B-TREE FOR RIGHT")
        return sum(step.startswith(scans) for step in steps)
    passed_over = 0
    for node in nodes(plan(database, statement, values, ", ANALYZE")):
        passed_over += node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
        if node["Node Type"] == "Sort":
            passed_over += max(0, node["Plans"][0]["Actual Rows"] - A_FEW)
    return int(passed_over)
