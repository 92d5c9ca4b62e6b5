"""Which deliveries a destination may hold although it never answered."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is being sent at this moment may arrive."""
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("may_be_held", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute("UPDATE delivery SET may_be_held = TRUE WHERE state = 'SENDING'")
