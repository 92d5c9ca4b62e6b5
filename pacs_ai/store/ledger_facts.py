"""The rows that audit messages tell about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.feedback_table import Feedback
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.schema import Delivery, Event, Instance, Job, LedgerLine, Result, Study

Row = TypeVar("Row", Study, Job, Delivery, Result, Feedback, Pull)

_UNTIL = (
    Instance.study_id == sa.bindparam("study"),
    Instance.received_at <= sa.bindparam("until", type_=Instance.received_at.type),
)
_WAY = (Instance.calling_aet, Instance.called_aet, Instance.address, Instance.sop_class_uid)
_SENT = (
    sa.select(*_WAY, sa.func.count())
    .where(
        *_UNTIL,
        Instance.revision
        == sa.select(sa.func.max(Instance.revision)).where(*_UNTIL).scalar_subquery(),
    )
    .group_by(*_WAY)
    .order_by(*_WAY)
)
"""Built once: the ledger asks for each study, and to build it takes longer than to execute it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How many instances of a SOP class a sender has sent, and by which way."""

    calling_aet: str
    called_aet: str
    address: str
    sop_class_uid: str
    instances: int


def by_id(session: Session, entity: type[Row], ids: Collection[Any]) -> dict[Any, Row]:
    """Return rows of a table by their primary key."""
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(sa.select(entity).where(entity.id.in_(ids)))}


def by_uid(session: Session, uids: Collection[str]) -> dict[str, Study]:
    """Return studies by their Study Instance UID."""
    if not uids:
        return {}
    query = sa.select(Study).where(Study.study_instance_uid.in_(uids))
    return {row.study_instance_uid: row for row in session.scalars(query)}


def sent_until(session: Session, study_id: int, at: datetime) -> Sequence[Sent]:
    """Return what senders have sent of the revision of a study that was the last one at a time."""
    return [Sent(*row) for row in session.execute(_SENT, {"study": study_id, "until": at})]


def last_note(session: Session, entity: str, entity_id: str) -> str:
    """Return the note of the newest event of something; "" if there is none."""
    query = (
        sa.select(Event.note)
        .where(Event.entity == entity, Event.entity_id == entity_id)
        .order_by(Event.id.desc())
        .limit(1)
    )
    return session.scalar(query) or ""


@dataclass(frozen=True, slots=True)
class Chained:
    """A line of the ledger, the patient of its study, and files that name the patient."""

    number: int
    at: str
    message: str
    patient_key: str
    paths: tuple[str, ...]


def chained_after(session: Session, number: int, node: str, most: int) -> list[Chained]:
    """Return the lines that a node has written after a number, the oldest first."""
    query = (
        sa.select(LedgerLine, Study.patient_key)
        .outerjoin(Study, Study.id == LedgerLine.study_id)
        .where(LedgerLine.number > number, LedgerLine.node == node)
        .order_by(LedgerLine.number)
        .limit(most)
    )
    return [
        Chained(line.number, line.at, line.message, key or "", _some_paths(session, line.study_id))
        for line, key in session.execute(query)
    ]


def _some_paths(session: Session, study_id: int) -> tuple[str, ...]:
    query = sa.select(Instance.path).where(Instance.study_id == study_id).order_by(Instance.id)
    return tuple(session.scalars(query.limit(2))) if study_id else ()
