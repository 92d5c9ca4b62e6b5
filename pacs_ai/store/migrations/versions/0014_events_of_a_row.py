"""An index by which the audit trail of one study, job or delivery is found."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_event_entity_id_entity", "event", ["entity_id", "entity"], unique=False)
