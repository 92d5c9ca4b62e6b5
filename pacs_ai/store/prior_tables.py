"""What tells which earlier study is a prior, what was asked for, and what was compared.

None of it names a patient. Body parts are keyed hashes, since a sender may write any text there.
The day of an examination is kept, as files are removed long before anything is compared with them.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import HEX, UID, WORD, Base
from pacs_ai.store.schema import Job


class Examination(Base):
    """What the images that a job analysed were of: two examinations of a kind can be compared.

    ``day`` is ``2024-03-01`` and ``time`` as far as it is stated ``081500``, both of the study.
    ``modality`` stands for a family: projection radiography is one. ``laterality`` is made of the
    letters L and R.
    """

    __tablename__ = "examination"
    job_id: Mapped[str] = mapped_column(ForeignKey(Job.id), primary_key=True)
    day: Mapped[str] = mapped_column(String(10))
    time: Mapped[str] = mapped_column(String(6))
    modality: Mapped[str] = mapped_column(WORD)
    body_part_key: Mapped[str] = mapped_column(HEX)
    laterality: Mapped[str] = mapped_column(String(2))


class PriorSearch(Base):
    """A job that waits, until a time at most, for earlier studies to be fetched and analysed.

    ``note`` says what it waits for, ``late`` whether something was to come that has not come.
    """

    __tablename__ = "prior_search"
    __table_args__ = (Index(None, "state"),)
    job_id: Mapped[str] = mapped_column(ForeignKey(Job.id), primary_key=True)
    state: Mapped[str] = mapped_column(WORD)
    until: Mapped[datetime]
    due_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, default="")
    late: Mapped[bool] = mapped_column(default=False, server_default=false())


class PriorStudy(Base):
    """An earlier study that a search has found and that is to be analysed.

    ``peer`` is where it is fetched from, "" if it is here. ``rules`` are those that get its
    results; usually nobody does. ``routed`` once its job was made, or there was one.
    """

    __tablename__ = "prior_study"
    __table_args__ = (UniqueConstraint("job_id", "study_instance_uid"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey(Job.id))
    study_instance_uid: Mapped[str] = mapped_column(UID, index=True)
    peer: Mapped[str] = mapped_column(String(64))
    model_name: Mapped[str] = mapped_column(String(64))
    rules: Mapped[list[str]] = mapped_column(JSON)
    routed: Mapped[bool] = mapped_column(default=False, server_default=false())


class Comparison(Base):
    """What the results of a job were compared with; ``content`` is empty if with nothing.

    ``missing`` is what the report says where nothing was compared although it was waited for.
    """

    __tablename__ = "comparison"
    job_id: Mapped[str] = mapped_column(ForeignKey(Job.id), primary_key=True)
    prior_job_id: Mapped[str] = mapped_column(String(36), default="", server_default="")
    content: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    missing: Mapped[str] = mapped_column(Text, default="", server_default="")
