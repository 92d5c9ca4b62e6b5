"""Which of the studies that are fetched from archives come first."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("pull") as table:
        table.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="1"))
