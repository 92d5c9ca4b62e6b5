"""Since when a task has its priority: urgent ones hold others up for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and the index of urgent tasks."""
    op.add_column("task", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    urgent = sa.text("priority = 0")
    op.create_index(
        "ix_task_urgent",
        "task",
        ["asked_at"],
        unique=False,
        sqlite_where=urgent,
        postgresql_where=urgent,
    )
