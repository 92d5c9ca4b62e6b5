"""What people say about results; what a job found; which structured reports are read for it."""

import sqlalchemy as sa
from alembic import op

from pacs_ai.store.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; of jobs that were done before it is not known by class what they found."""
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("findings", sa.JSON(), nullable=False, server_default="[]"))
        column = sa.Column("result_uid", sa.String(length=64), nullable=False, server_default="")
        batch_op.add_column(column)
    with op.batch_alter_table("instance", schema=None) as batch_op:
        column = sa.Column("feedback", sa.String(length=32), nullable=False, server_default="")
        batch_op.add_column(column)
    unread = sa.text("modality = 'SR' AND feedback = ''")
    op.create_index(
        "ix_instance_to_read", "instance", ["id"], sqlite_where=unread, postgresql_where=unread
    )
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=36), nullable=False),
        *(sa.Column(name, sa.String(length=64), nullable=False) for name in _NAMES),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("document_uid", sa.String(length=64), nullable=True),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint(
            "document_uid", "sop_instance_uid", name="uq_feedback_document_uid_sop_instance_uid"
        ),
    )
    for columns in (
        ["sop_instance_uid", "user_name", "id"],
        ["study_id", "id"],
        ["model_name", "at"],
    ):
        op.create_index(f"ix_feedback_{'_'.join(columns)}", "feedback", columns)


_NAMES = (
    "sop_instance_uid",
    "model_name",
    "model_version",
    "bundle_sha256",
    "manifest_sha256",
    "user_name",
)

_INDEXES = (["sop_instance_uid", "user_name", "id"], ["study_id", "id"], ["model_name", "at"])
