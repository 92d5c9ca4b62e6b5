"""What a delivered result takes the place of, because the destination refuses its class."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    with op.batch_alter_table("delivery") as table:
        table.add_column(
            sa.Column("in_place_of", sa.String(length=32), server_default="", nullable=False)
        )
