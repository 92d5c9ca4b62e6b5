import ast
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from pacs_ai.errors import ConfigError
from pacs_ai.store import (  # noqa: F401 - tables
    active_models,
    brought,
    completeness,
    drift_tables,
    feedback_table,
    kept_predictions,
    migrate,
    prior_tables,
    pull_table,
    rule_sets,
    running_nodes,
    tasks,
    version,
)
from pacs_ai.store.columns import Base
from pacs_ai.store.prepare import prepare
from pacs_ai.store.schema import Instance
from pacs_ai.store.session import Database
from tests.databases import upgraded_to
from tests.unit.store.samples import NOW


def test_steps_lead_to_the_schema_of_the_code(database: Database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert version.current(database) == version.SCHEMA_STEP


def test_upgrading_twice_changes_nothing(database: Database):
    migrate.upgrade(database)
    assert version.current(database) == version.SCHEMA_STEP


def test_refuses_a_database_of_a_newer_version(database: Database):
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer"):
        prepare(database)


def test_sqlite_is_upgraded_at_start_and_postgresql_is_not(empty_database: Database):
    if empty_database.is_sqlite:
        prepare(empty_database)
        assert version.current(empty_database) == version.SCHEMA_STEP
    else:
        with pytest.raises(ConfigError, match="db upgrade"):
            prepare(empty_database)


def test_the_step_that_is_needed_is_the_newest_there_is():
    assert migrate.head() == version.SCHEMA_STEP


def test_an_instance_whose_file_was_missed_counts_again_after_the_upgrade(empty_database: Database):
    """A version before this left such an instance out; the study went on without it."""
    upgraded_to(empty_database, "0001")
    study = (1, "1.2.3", "p", "a", 1, "ROUTED", "node", "A", "B", "CT", NOW, NOW, None, "")
    instance = (1, 1, "1", "1", "1", "CT", 1, "x", NOW)
    with empty_database.engine.begin() as connection:
        _insert(connection, "study", study)
        for number, reason in enumerate(("file is missing", "own result", ""), start=1):
            study_id, revision, series, sop_class, syntax, modality, size, digest, at = instance
            row = (number, study_id, revision, series, sop_class, f"1.{number}", syntax, modality)
            _insert(connection, "instance", (*row, f"node/{number}", size, digest, at, reason))
    migrate.upgrade(empty_database)
    query = sa.select(Instance.missing, Instance.unusable_reason).order_by(Instance.id)
    with empty_database.read() as session:
        rows = [tuple(row) for row in session.execute(query)]
    assert rows == [(True, ""), (False, "own result"), (False, "")]


def test_a_database_in_use_is_upgraded_with_all_its_rows(empty_database: Database):
    """Rows refer to the tables whose columns step 0005 renames."""
    upgraded_to(empty_database, "0004")
    tables = ("study", "identity", "instance", "variant", "job", "result", "delivery")
    with empty_database.engine.begin() as connection:
        for table in tables:
            _fill(connection, table)
    migrate.upgrade(empty_database)
    with empty_database.engine.begin() as connection:
        for table in tables:
            count = sa.select(sa.func.count()).select_from(sa.table(table))
            assert connection.scalar(count) == 1, table
        for table in ("instance", "variant", "result"):
            digest = sa.select(sa.table(table, sa.column("digest")).c.digest)
            assert connection.scalar(digest) == "x"
        if empty_database.is_sqlite:
            assert connection.execute(sa.text("PRAGMA foreign_key_check")).all() == []
    with pytest.raises(sa.exc.IntegrityError), empty_database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE instance SET study_id = 2"))


def _fill(connection: sa.Connection, table: str) -> None:
    """Add a row that refers to the first one of every other table."""
    known = sa.Table(table, sa.MetaData(), autoload_with=connection)
    value = {int: 1, str: "x", bool: False, datetime: NOW, object: {}}
    row = {column.name: value[column.type.python_type] for column in known.columns}
    row.update({"id": "x" if table == "job" else 1})
    connection.execute(sa.insert(known).values(row))


def _insert(connection: sa.Connection, table: str, values: tuple[object, ...]) -> None:
    """Add a row to a table as it is in the database, whatever the code says now."""
    known = sa.Table(table, sa.MetaData(), autoload_with=connection)
    connection.execute(sa.insert(known).values(values))


def test_steps_only_add_so_that_nodes_of_the_version_before_go_on():
    """docs/adr/0044; steps before 0024 are older than that promise."""
    folder = Path(migrate.__file__).parent / "migrations" / "versions"
    steps = sorted(path for path in folder.glob("0*.py") if path.name >= "0024")
    assert steps
    for path in steps:
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        for call in calls:
            name, said = ast.unparse(call.func).rpartition(".")[2], ast.unparse(call)
            assert not name.startswith(("drop_", "alter_", "rename_")), (path.name, said)
            if name == "add_column":
                assert "server_default" in said or "nullable=True" in said, (path.name, said)
