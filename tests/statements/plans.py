"""Whether a database finds what a statement asks for by an index, or reads a whole large table."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pacs_ai.store.columns import Base
from pacs_ai.store.session import Database
from tests.large_site import SMALL
from tests.statements.listing import Statement

COSTLY = 30_000.0
"""Costs of a plan on PostgreSQL that mean that a large part of a large table is read.

One row costs at least 0.01 of these, and where it is not beside the last one, four.
"""

MANY = 50_000
"""So many rows of one table are too many, however they are found."""

_FEW = frozenset(
    index.name
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
)
"""Indexes of a few rows: to read one whole is no harm."""

_FIRST = {
    str(one.name): next(iter(one.columns)).name
    for table in Base.metadata.tables.values()
    for one in (*table.indexes, *table.constraints)
    if isinstance(one, sa.Index | sa.UniqueConstraint | sa.PrimaryKeyConstraint)
}
"""The first column of each index: a search that does not know it reads the whole index."""

_SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan")
_PASSING = (
    "Limit",
    "Incremental Sort",
    "Nested Loop",
    "Append",
    "Merge Append",
    "Subquery Scan",
    "Result",
    "LockRows",
)
"""Parts of a plan that stop reading as soon as nobody asks for another row."""


@dataclass(frozen=True)
class Finding:
    """What a plan reads: ``bad`` says why that is too much, "" where it is not."""

    used: tuple[str, ...]
    bad: str


def finding(database: Database, statement: Statement) -> Finding | None:
    """Look how a database carries out a statement; None if the statement is not for it."""
    name = "sqlite" if database.is_sqlite else "postgresql"
    if name not in statement.texts:
        return None
    explain = _on_sqlite if database.is_sqlite else _on_postgresql
    return explain(database, statement.texts[name], statement.values[name])


def explained(database: Database, text: str, values: dict[str, Any]) -> list[Any]:
    """Return what ``EXPLAIN`` says; the statement itself is not run."""
    how = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN (FORMAT JSON)"
    with database.engine.connect() as connection:
        return list(connection.exec_driver_sql(f"{how} {for_driver(database, text)}", values))


def for_driver(database: Database, text: str) -> str:
    """Return a statement with its values named as the driver of a database wants it."""
    if database.is_sqlite:
        return text
    return re.sub(r"(?<![:\w]):([a-z_]\w*)", r"%(\1)s", text.replace("%", "%%"))


def _large(name: str) -> bool:
    return name in Base.metadata.tables and name not in SMALL


def _on_sqlite(database: Database, text: str, values: dict[str, Any]) -> Finding:
    tables = {alias: table for table, alias in re.findall(r"\b(\w+) AS (\w+)\b", text)}
    steps = [str(row.detail) for row in explained(database, text, values)]
    sorts = any(step.startswith("USE TEMP B-TREE FOR ORDER BY") for step in steps)
    used: list[str] = []
    bad: list[str] = []
    for step in steps:
        read = re.match(r"(SCAN|SEARCH) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
        if read is None or not _large(tables.get(read[2], read[2])):
            continue
        used.append(f"{tables.get(read[2], read[2])}: {read[3] or read[1].lower()}")
        soon = " LIMIT " in text and not sorts
        if read[1] == "SCAN" and read[3] not in _FEW and not soon:
            bad.append(step)
    return Finding(tuple(used), "; ".join(bad))


def _on_postgresql(database: Database, text: str, values: dict[str, Any]) -> Finding:
    (made,) = explained(database, text, values)[0]
    plan = (json.loads(made) if isinstance(made, str) else made)[0]["Plan"]
    used: list[str] = []
    bad: list[str] = []
    for node, soon in _nodes(plan, soon=False):
        table = node.get("Relation Name", "")
        if node["Node Type"] not in _SCANS or not _large(table):
            continue
        searches = list(_searches(node))
        names = ", ".join(name for name, _ in searches)
        used.append(f"{table}: {names or 'seq scan'}")
        if not searches and not soon:
            bad.append(f"reads all of {table}")
        elif not soon and any(_is_whole(name, by) for name, by in searches):
            bad.append(f"reads all of {table} by {names}")
        elif node["Plan Rows"] > MANY and not soon:
            bad.append(f"reads {node['Plan Rows']:,} rows of {table}")
    if plan["Total Cost"] > COSTLY:
        bad.append(f"costs {plan['Total Cost']:,.0f}")
    return Finding(tuple(used), "; ".join(bad))


def _searches(node: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the indexes by which a scan finds its rows, and their conditions."""
    below = node.get("Plans", ()) if node["Node Type"] == "Bitmap Heap Scan" else ()
    for one in (node, *(one for part in below for one, _ in _nodes(part, soon=False))):
        if "Index Name" in one:
            yield one["Index Name"], one.get("Index Cond", "")


def _is_whole(index: str, condition: str) -> bool:
    first = _FIRST.get(index)
    return index not in _FEW and not (first and re.search(rf"\b{first}\b", condition))


def _nodes(node: dict[str, Any], *, soon: bool) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield the parts of a plan, and whether each ends as soon as there are enough rows."""
    kind = node["Node Type"]
    yield node, soon
    soon = kind == "Limit" or (soon and kind in _PASSING)
    for below in node.get("Plans", ()):
        yield from _nodes(below, soon=soon)
