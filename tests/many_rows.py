"""Tables of PostgreSQL with as many rows as a large site has, made by the server itself."""

from collections.abc import Mapping

import sqlalchemy as sa

from pacs_ai.store.session import Database

ONE = "one"
"""The number of a row in the expressions of its columns."""

UUID = "md5('{0}' || {1})::uuid::text"
MOMENT = "timestamptz '2026-01-01' - interval '1 second' * {0}"


def job_id(number: str = ONE) -> str:
    """Return the expression for the id of a job."""
    return UUID.format("job", number)


def add_rows(
    database: Database,
    table: sa.Table,
    count: int,
    begin: int = 1,
    *,
    checked: bool = True,
    **expressions: str,
) -> None:
    """Add rows to a table.

    Parameters
    ----------
    begin
        The number of the first row.
    checked
        Whether the rows that others name are looked for, which takes longer than to add them.
    expressions
        SQL of the values of columns; `ONE` is the number of the row. Others are NULL where they
        may be, else a value made of their name, their type and that number.
    """
    values = {
        column.name: expressions.get(column.name, _value(column))
        for column in table.columns
        if column.name in expressions or not column.nullable
    }
    numbers = sa.text(f"generate_series({begin}, {begin + count - 1}) AS {ONE}")
    made = sa.select(*map(sa.literal_column, values.values())).select_from(numbers)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        if not checked:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(sa.insert(table).from_select(list(values), made, include_defaults=False))


def analyze(database: Database, *tables: str) -> None:
    """Let the planner know how many rows there are; all tables where none is named."""
    alone = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with alone.connect() as connection:
        connection.exec_driver_sql(f"VACUUM ANALYZE {', '.join(tables)}")


def empty(database: Database, tables: Mapping[str, sa.Table]) -> None:
    """Remove all rows of some tables, and of those that name them."""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(tables)} CASCADE")


def _value(column: sa.Column[object]) -> str:
    kind, name = column.type, column.name
    named = [key.column.type for key in column.foreign_keys]
    if (name == "id" and isinstance(kind, sa.String)) or any(
        isinstance(one, sa.String) for one in named
    ):
        return job_id()
    if isinstance(kind, sa.Integer):
        return ONE if column.primary_key or column.unique or named else "1"
    if isinstance(kind, sa.String):
        return f"right('{name}.' || {ONE}, {kind.length or 40})"
    simple = {sa.Boolean: "false", sa.Float: "0.5", sa.JSON: "'{}'"}
    made = [value for one, value in simple.items() if isinstance(kind, one)]
    return made[0] if made else MOMENT.format(ONE)
