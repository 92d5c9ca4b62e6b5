"""Earlier studies that results are compared with."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "examination",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("time", sa.String(length=6), nullable=False),
        sa.Column("modality", sa.String(length=32), nullable=False),
        sa.Column("body_part_key", sa.String(length=64), nullable=False),
        sa.Column("laterality", sa.String(length=2), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_examination_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_examination")),
    )
    op.create_table(
        "prior_search",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_prior_search_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_prior_search")),
    )
    op.create_index("ix_prior_search_state", "prior_search", ["state"], unique=False)
    op.create_table(
        "prior_study",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("model_name", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("routed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_prior_study_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prior_study")),
        sa.UniqueConstraint(
            "job_id", "study_instance_uid", name=op.f("uq_prior_study_job_id_study_instance_uid")
        ),
    )
    op.create_index(
        "ix_prior_study_study_instance_uid", "prior_study", ["study_instance_uid"], unique=False
    )
    op.create_table(
        "comparison",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("prior_job_id", sa.String(length=36), server_default="", nullable=False),
        sa.Column("content", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("missing", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_comparison_job_id")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_comparison")),
    )
