"""The index of instances whose file was not there when their node looked."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    missing = sa.text("missing")
    op.create_index(
        "ix_instance_missing",
        "instance",
        ["path"],
        unique=False,
        sqlite_where=missing,
        postgresql_where=missing,
    )
