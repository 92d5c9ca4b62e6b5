"""Users of the listener, with the digests of their passcodes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; a name may have one user, and removed ones."""
    op.create_table(
        "dicom_user",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("passcode_digest", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_dicom_user"),
    )
    valid = sa.text("removed_at IS NULL")
    op.create_index(
        "ix_dicom_user_name",
        "dicom_user",
        ["name"],
        unique=True,
        sqlite_where=valid,
        postgresql_where=valid,
    )
