"""What faults of the machine leave behind: pauses, missing files, the manifest that ran."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; an instance whose file was missed is analysed again if it is back."""
    for table in ("job", "delivery"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(
                sa.Column("postponed", sa.Integer(), nullable=False, server_default="0")
            )
            batch_op.add_column(
                sa.Column("postponed_for", sa.String(length=32), nullable=False, server_default="")
            )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("manifest_sha256", sa.String(length=64), nullable=False, server_default="")
        )
    with op.batch_alter_table("result", schema=None) as batch_op:
        batch_op.add_column(sa.Column("bytes", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("instance", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("missing", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute(
        "UPDATE instance SET missing = TRUE, unusable_reason = '' "
        "WHERE unusable_reason = 'file is missing'"
    )
