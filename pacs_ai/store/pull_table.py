"""The table of studies that are fetched from archives."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.priorities import Priority
from pacs_ai.store.columns import UID, WORD, Base


class Pull(Base):
    """One study that a person has asked a peer for; once it is here, it is a `Study` too.

    ``owner`` is the process that asks the peer now. ``instances`` counts what the peer has sent;
    of a study that has not come whole yet, what is here.
    ``priority`` is a value of `pacs_ai.priorities.Priority`.
    """

    __tablename__ = "pull"
    __table_args__ = (
        UniqueConstraint("peer", "study_instance_uid"),
        Index(None, "state", "due_at"),
        Index(None, "study_instance_uid"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    peer: Mapped[str] = mapped_column(String(64))
    study_instance_uid: Mapped[str] = mapped_column(UID)
    state: Mapped[str] = mapped_column(WORD)
    attempt: Mapped[int] = mapped_column(default=0)
    priority: Mapped[int] = mapped_column(default=Priority.ROUTINE, server_default="1")
    owner: Mapped[str] = mapped_column(String(128), default="")
    user_name: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    instances: Mapped[int] = mapped_column(default=0)
    error_code: Mapped[str] = mapped_column(String(32), default="")
    error_text: Mapped[str] = mapped_column(Text, default="")
