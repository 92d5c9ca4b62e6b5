"""Digests name the algorithm that made them; those without a name stay, and are SHA-256."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename and widen the columns; no row changes."""
    for table in ("instance", "variant", "result"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.alter_column(
                "sha256",
                new_column_name="digest",
                existing_type=sa.String(length=64),
                type_=sa.String(length=80),
                existing_nullable=False,
            )
