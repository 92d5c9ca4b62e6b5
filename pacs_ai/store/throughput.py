"""How much was done in each minute, and how long reports took; these queries change nothing.

Rows get their ids in the order of their times, so a search by halves finds the first row of a time
by the primary key: no index on times is needed, and old rows are not looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState, JobState, ResultKind, StudyState
from pacs_ai.store.schema import Delivery, Event, Instance, Job, Result, Study

_INSTANCE, _EVENT = Instance.__table__.c, Event.__table__.c
_COUNTED = {
    ("study", StudyState.COMPLETE): "studies",
    ("job", JobState.SUCCEEDED): "analyses",
    ("delivery", DeliveryState.STORED): "results",
}
IMAGES = "images"
COUNTED = (IMAGES, *_COUNTED.values())
"""What is counted: images received, studies complete, analyses done, results delivered."""


@dataclass(frozen=True, slots=True)
class Position:
    """The ids of the first image and of the first line of the audit trail of a time."""

    image: int = 0
    event: int = 0


def position(session: Session, since: datetime, before: Position) -> Position:
    """Find where a time begins; ``before`` is a position that lies not behind it."""
    return Position(
        _first(session, _INSTANCE.id, _INSTANCE.received_at, since, before.image),
        _first(session, _EVENT.id, _EVENT.at, since, before.event),
    )


def counts(session: Session, begin: Position) -> Iterator[tuple[str, datetime, int]]:
    """Count by minute all that came since a position: what, minute, how many."""
    minute = _minute(session, _INSTANCE.received_at)
    images = sa.select(minute, sa.func.count()).where(_INSTANCE.id >= begin.image)
    for at, count in session.execute(images.group_by(minute)):
        yield IMAGES, _time(at), count
    minute = _minute(session, _EVENT.at)
    ended = sa.select(_EVENT.entity, _EVENT.to_state, minute, sa.func.count()).where(
        _EVENT.id >= begin.event,
        sa.tuple_(_EVENT.entity, _EVENT.to_state).in_([(a, str(b)) for a, b in _COUNTED]),
    )
    for entity, state, at, count in session.execute(
        ended.group_by(_EVENT.entity, _EVENT.to_state, minute)
    ):
        yield _COUNTED[entity, state], _time(at), count


def report_times(session: Session, begin: Position) -> Iterator[tuple[datetime, float]]:
    """Give the reports since a position: when, and how many seconds after the last image.

    A report counts when its destination has stored it, or, if it is sent nowhere, when it was made.
    One that was stored before an image came that opened the study again is left out.
    """
    sent = (
        sa.select(_EVENT.at, Study.last_received_at)
        .join(Delivery, Delivery.id == sa.cast(_EVENT.entity_id, sa.BigInteger))
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            _EVENT.id >= begin.event,
            _EVENT.entity == "delivery",
            _EVENT.to_state == DeliveryState.STORED,
            Result.kind == ResultKind.REPORT,
        )
    )
    kept = (
        sa.select(_EVENT.at, Study.last_received_at)
        .join(Job, Job.id == _EVENT.entity_id)
        .join(Study, Study.id == Job.study_id)
        .where(
            _EVENT.id >= begin.event,
            _EVENT.entity == "job",
            _EVENT.to_state == JobState.SUCCEEDED,
            ~sa.exists().where(Delivery.job_id == Job.id),
        )
    )
    for query in (sent, kept):
        for at, last_image in session.execute(query):
            seconds = (at - last_image).total_seconds()
            if seconds >= 0:
                yield at, seconds


def _first(session: Session, key: Any, at: Any, since: datetime, low: int) -> int:  # noqa: ANN401 - columns
    """Return the least id whose row is not older than a time; one after the last, if none is."""
    last = session.scalar(sa.select(sa.func.max(key)))
    if last is None:
        return 0
    high = last + 1
    low = min(low, high)
    while low < high:
        middle = (low + high) // 2
        row = session.execute(sa.select(key, at).where(key >= middle).order_by(key).limit(1)).one()
        if row[1] < since:
            low = row[0] + 1
        else:
            high = middle
    return low


def _minute(session: Session, at: Any) -> Any:  # noqa: ANN401 - columns
    if session.get_bind().dialect.name == "sqlite":  # a text: 2026-01-31 12:00:00.000000
        return sa.func.substr(at, 1, len("2026-01-31 12:00"), type_=sa.String)
    return sa.func.date_trunc("minute", at)


def _time(minute: str | datetime) -> datetime:
    if isinstance(minute, str):
        return datetime.fromisoformat(minute).replace(tzinfo=UTC)
    return minute.astimezone(UTC)
