"""The index by which tasks are claimed: what waits of one kind is passed over for no other."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    free = sa.text("lease_owner IS NULL")
    op.create_index(
        "ix_task_line",
        "task",
        ["kind", "priority", "id"],
        unique=False,
        sqlite_where=free,
        postgresql_where=free,
    )
