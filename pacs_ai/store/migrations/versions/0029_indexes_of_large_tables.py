"""Indexes for a site whose tables grow without end: no sweep and no list reads a whole table."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_NEW = (
    ("ix_study_state_first_received_at", "study", ["state", "first_received_at"], None),
    ("ix_study_first_received_at", "study", ["first_received_at"], None),
    ("ix_study_corrected", "study", ["correction"], "correction > 0"),
    (
        "ix_study_unmatched",
        "study",
        ["id"],
        "state = 'ROUTED' AND reason LIKE 'no rule matches%'",
    ),
    ("ix_job_state_created_at", "job", ["state", "created_at"], None),
    ("ix_job_created_at", "job", ["created_at"], None),
    ("ix_result_taken_back", "result", ["withdrawal_id"], "withdrawal_id IS NOT NULL"),
    ("ix_result_file", "result", ["path"], "path <> ''"),
    ("ix_pull_study_instance_uid", "pull", ["study_instance_uid"], None),
    ("ix_delivery_state_id", "delivery", ["state", "id"], None),
    ("ix_delivery_destination_state_id", "delivery", ["destination", "state", "id"], None),
    ("ix_delivery_told_of", "delivery", ["withdrawn_by"], "withdrawn_by IS NOT NULL"),
    ("ix_message_state_created_at", "message", ["state", "created_at"], None),
    ("ix_message_created_at", "message", ["created_at"], None),
    (
        "ix_message_section_destination_created_at",
        "message",
        ["section", "destination", "created_at"],
        None,
    ),
    ("ix_notification_key", "notification", ["key"], None),
    ("ix_feedback_at", "feedback", ["at"], None),
)


def upgrade() -> None:
    """Make them; nodes of the version before use the others."""
    for name, table, columns, condition in _NEW:
        where = None if condition is None else sa.text(condition)
        op.create_index(
            name, table, columns, unique=False, sqlite_where=where, postgresql_where=where
        )
