"""How complete each revision of a study was when it was closed, and the seconds of each stage."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; revisions that were closed before have no row."""
    op.create_table(
        "completeness",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("waited_seconds", sa.Double(), nullable=False),
        sa.Column("released", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("signal", sa.String(length=32), server_default="", nullable=False),
        sa.Column("asked", sa.String(length=64), server_default="", nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("present", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name=op.f("fk_completeness_study_id_study")
        ),
        sa.PrimaryKeyConstraint("study_id", "revision", name=op.f("pk_completeness")),
    )
    with op.batch_alter_table("job") as table:
        table.add_column(
            sa.Column("stages", sa.JSON(), server_default=sa.text("'{}'"), nullable=False)
        )
