"""What is measured of studies, and how far it lies from the validation images of the models."""

import sqlalchemy as sa
from alembic import op

from pacs_ai.store.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables; studies that were analysed before are not measured."""
    op.create_table(
        "observation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        *_stream_columns(),
        sa.Column("measured", sa.JSON(), nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.Column("stream_id", sa.Integer()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint(
            "study_id",
            "model_name",
            "manifest_sha256",
            name=op.f("uq_observation_study_id_model_name_manifest_sha256"),
        ),
    )
    op.create_index(op.f("ix_observation_seen_id"), "observation", ["seen", "id"])
    op.create_index(op.f("ix_observation_stream_id_id"), "observation", ["stream_id", "id"])
    op.create_table(
        "drift_stream",
        sa.Column("id", sa.Integer(), nullable=False),
        *_stream_columns(),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.Column("alarms", sa.JSON(), nullable=False),
        sa.Column("alarm_since", UtcDateTime()),
        sa.Column("shifts", sa.JSON(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift_stream")),
        sa.UniqueConstraint(
            "model_name",
            "manifest_sha256",
            "sender",
            "modality",
            name=op.f("uq_drift_stream_model_name_manifest_sha256_sender_modality"),
        ),
    )


def _stream_columns() -> list[sa.Column[str]]:
    return [
        sa.Column("model_name", sa.String(64), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("sender", sa.String(16), nullable=False),
        sa.Column("modality", sa.String(16), nullable=False),
    ]
