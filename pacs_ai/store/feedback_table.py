"""The table of feedback: what people say about results."""

from datetime import datetime

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import HEX, UID, WORD, Base


class Feedback(Base):
    """What one user says about one result; append only, the newest of a user counts.

    ``sop_instance_uid`` is that of the result. It refers to no other row: it stays when the study
    is deleted, and never comes to mean another result. ``decisions`` are those of the model by the
    name of the class, ``labels`` those of the user. ``document_uid`` is the structured report that
    it came with, None if it came otherwise. There is no free text: nobody can keep patient data
    out of it.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("document_uid", "sop_instance_uid"),
        Index(None, "sop_instance_uid", "user_name", "id"),
        Index(None, "study_id", "id"),
        Index(None, "model_name", "at"),
        Index(None, "at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    study_id: Mapped[int]
    job_id: Mapped[str] = mapped_column(String(36))
    sop_instance_uid: Mapped[str] = mapped_column(UID)
    model_name: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(64))
    bundle_sha256: Mapped[str] = mapped_column(HEX)
    manifest_sha256: Mapped[str] = mapped_column(HEX)
    user_name: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(WORD)
    source: Mapped[str] = mapped_column(WORD)
    document_uid: Mapped[str | None] = mapped_column(UID)
    decisions: Mapped[dict[str, str]] = mapped_column(JSON)
    labels: Mapped[dict[str, str]] = mapped_column(JSON)
