"""The table of the tokens for the page and the REST API."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import HEX, WORD, Base
from pacs_ai.store.indexes import few


class Token(Base):
    """What lets somebody use the page or the REST API; ``token_sha256`` is that of the token."""

    __tablename__ = "token"
    __table_args__ = (few("ix_token_name", "name", "revoked_at IS NULL", unique=True),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    role: Mapped[str] = mapped_column(WORD)
    token_sha256: Mapped[str] = mapped_column(HEX, unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
