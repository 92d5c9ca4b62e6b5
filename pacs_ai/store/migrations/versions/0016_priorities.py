"""Priorities of jobs and tasks, what rules asked for, and the address of what comes again."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: all that waits is routine; and the index that claims go by."""
    for table in ("job", "task"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(
                sa.Column("priority", sa.Integer(), nullable=False, server_default="1")
            )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked", sa.JSON(), nullable=True))
    with op.batch_alter_table("repeat", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("address", sa.String(length=45), nullable=False, server_default="")
        )
    free = sa.text("lease_owner IS NULL")
    op.create_index(
        "ix_task_waiting",
        "task",
        ["priority", "id", "kind"],
        unique=False,
        sqlite_where=free,
        postgresql_where=free,
    )
