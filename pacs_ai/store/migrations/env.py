"""Run by Alembic: hands it our tables and the connection it was given."""

from alembic import context

from pacs_ai.store import (  # noqa: F401 - each makes tables known to Base
    active_models,
    completeness,
    drift_tables,
    feedback_table,
    kept_predictions,
    notifications,
    rule_sets,
    schema,
    tasks,
    token_table,
    user_table,
)
from pacs_ai.store.columns import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by making it again
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
