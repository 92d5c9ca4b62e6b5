"""The timeline of a study as records, and what it is made of: audit trail, and times of images."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.schema import Event, Instance


@dataclass(frozen=True, slots=True)
class Images:
    """The images that came in one revision."""

    count: int
    first_received_at: datetime
    last_received_at: datetime


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step. ``end`` is None and ``seconds`` counts up to now where it goes on.

    ``job`` and ``peer`` are "" where a step has none; ``results`` is the number of results that
    are on their way together.
    """

    revision: int
    step: str
    job: str
    peer: str
    results: int
    begin: datetime
    end: datetime | None
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class SpentRecord:
    """The seconds of a revision that went into a step; times that overlap count once."""

    step: str
    peer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """A revision: what came, why it was closed, and where its time went.

    ``expected`` and ``present`` are what its source (``asked``) had and what of that was here; None
    if it was not asked or did not answer. ``signal`` is "" while it is open.
    """

    revision: int
    images: int
    first_image_at: datetime | None
    last_image_at: datetime | None
    closed_at: datetime | None
    signal: str
    reason: str
    asked: str
    expected: int | None
    present: int | None
    spent: list[SpentRecord]


def images_by_revision(session: Session, study_id: int) -> dict[int, Images]:
    """Return how many instances came in each revision, and when; none once files are removed."""
    at = Instance.received_at
    query = sa.select(Instance.revision, sa.func.count(), sa.func.min(at), sa.func.max(at))
    query = query.where(Instance.study_id == study_id).group_by(Instance.revision)
    return {row[0]: Images(row[1], row[2], row[3]) for row in session.execute(query)}


def events_of(session: Session, entity: str, keys: Iterable[object]) -> dict[str, Sequence[Event]]:
    """Return the audit trail of rows of one table, by the id of the row, oldest first."""
    wanted = [str(key) for key in keys]
    query = sa.select(Event).where(Event.entity == entity, Event.entity_id.in_(wanted))
    found: dict[str, list[Event]] = {key: [] for key in wanted}
    for event in session.scalars(query.order_by(Event.id)):
        found[event.entity_id].append(event)
    return dict(found)
