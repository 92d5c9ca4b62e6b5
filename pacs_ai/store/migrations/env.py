"""Run by Alembic: hands it our tables and the connection it was given."""

from alembic import context

from pacs_ai.store.schema import Study

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Study.metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
