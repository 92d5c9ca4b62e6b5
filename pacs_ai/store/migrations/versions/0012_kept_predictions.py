"""Predictions that are kept to be compared: of live jobs, in shadow, and of replays."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "kept_prediction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("model_name", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(length=32), nullable=False),
        sa.Column("error_text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_prediction")),
        sa.UniqueConstraint(
            "study_id",
            "revision",
            "manifest_sha256",
            name=op.f("uq_kept_prediction_study_id_revision_manifest_sha256"),
        ),
    )
    with op.batch_alter_table("kept_prediction", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_kept_prediction_state_id"), ["state", "id"])
        batch_op.create_index(batch_op.f("ix_kept_prediction_created_at"), ["created_at"])
