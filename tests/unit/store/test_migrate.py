import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from pacs_ai.errors import ConfigError
from pacs_ai.store import migrate, version
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Database


def test_steps_lead_to_the_schema_of_the_code(database: Database):
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Study.metadata) == []
    assert version.current(database) == version.SCHEMA_STEP


def test_upgrading_twice_changes_nothing(database: Database):
    migrate.upgrade(database)
    assert version.current(database) == version.SCHEMA_STEP


def test_refuses_a_database_of_a_newer_version(database: Database):
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer"):
        version.prepare(database)


def test_sqlite_is_upgraded_at_start_and_postgresql_is_not(empty_database: Database):
    if empty_database.is_sqlite:
        version.prepare(empty_database)
        assert version.current(empty_database) == version.SCHEMA_STEP
    else:
        with pytest.raises(ConfigError, match="db upgrade"):
            version.prepare(empty_database)


def test_the_step_that_is_needed_is_the_newest_there_is():
    assert migrate.head() == version.SCHEMA_STEP
