"""The table of the users of the listener."""

from datetime import datetime

from sqlalchemy import Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import Base

_THERE = text("removed_at IS NULL")


class DicomUser(Base):
    """Who may open associations, once there is anybody; see `pacs_ai.net.passcodes`."""

    __tablename__ = "dicom_user"
    __table_args__ = (
        Index(None, "name", unique=True, sqlite_where=_THERE, postgresql_where=_THERE),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    passcode_digest: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
