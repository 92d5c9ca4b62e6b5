"""How often a delivery was tried before a person asked to try it again."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "delivery",
        sa.Column("earlier_attempts", sa.Integer(), server_default="0", nullable=False),
    )
