"""The table of withdrawals: when a person took results of a study back, and why."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import WORD, Base


class Withdrawal(Base):
    """One decision of a person; the results that it is about name it.

    ``reason`` is a `pacs_ai.withdrawal_kinds.RejectionReason`, ``model_name`` the only model whose
    results it is about, "" for all. There is no free text: nobody can keep patient data out of it.
    """

    __tablename__ = "withdrawal"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(WORD)
    model_name: Mapped[str] = mapped_column(String(64))
    user_name: Mapped[str] = mapped_column(String(64))
