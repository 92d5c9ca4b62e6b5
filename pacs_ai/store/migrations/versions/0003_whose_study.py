"""Who a study's patient is said to be, who brought an instance, and what a correction voids."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and columns; what was received before keeps the sender of its study.

    Whom its instances named is not known here: the next one that arrives is held against the
    PatientID alone (`pacs_ai.store.identities`).
    """
    _identity()
    for name, kind, default in (
        ("patient_number", sa.Integer(), "1"),
        ("correction", sa.Integer(), "0"),
    ):
        _add("study", sa.Column(name, kind, nullable=False, server_default=default))
    for table in ("job", "result"):
        _add(table, sa.Column("correction", sa.Integer(), nullable=False, server_default="0"))
    for name in ("calling_aet", "called_aet"):
        _add("instance", sa.Column(name, sa.String(16), nullable=False, server_default=""))
    op.execute(
        "UPDATE instance SET (calling_aet, called_aet) = (SELECT study.calling_aet, "
        "study.called_aet FROM study WHERE study.id = instance.study_id)"
    )
    # written out: Alembic would make the tables anew to add a column that refers to another one
    op.execute(
        "ALTER TABLE instance ADD COLUMN identity_id INTEGER "
        "CONSTRAINT fk_instance_identity_id REFERENCES identity (id)"
    )
    op.execute(
        "ALTER TABLE delivery ADD COLUMN withdrawn_by INTEGER "
        "CONSTRAINT fk_delivery_withdrawn_by REFERENCES result (id)"
    )
    _variant()
    _repeat()


def _add(table: str, column: sa.Column[int] | sa.Column[str]) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.add_column(column)


def _identity() -> None:
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("patient_number", sa.Integer(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("patient_key", sa.String(length=64), nullable=False),
        sa.Column("accession_key", sa.String(length=64), nullable=False),
        sa.Column("calling_aet", sa.String(length=16), nullable=False),
        sa.Column("first_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["study_id"], ["study.id"], name=op.f("fk_identity_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("study_id", "digest", name=op.f("uq_identity_study_id_digest")),
    )


def _variant() -> None:
    op.create_table(
        "variant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=False),
        sa.Column("transfer_syntax_uid", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_variant_instance_id")
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"], ["identity.id"], name=op.f("fk_variant_identity_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variant")),
        sa.UniqueConstraint("path", name=op.f("uq_variant_path")),
    )
    with op.batch_alter_table("variant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_variant_instance_id"), ["instance_id"], unique=False)


def _repeat() -> None:
    op.create_table(
        "repeat",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("calling_aet", sa.String(length=16), nullable=False),
        sa.Column("called_aet", sa.String(length=16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_repeat_instance_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repeat")),
        sa.UniqueConstraint(
            "instance_id",
            "calling_aet",
            "called_aet",
            name=op.f("uq_repeat_instance_id_calling_aet_called_aet"),
        ),
    )
