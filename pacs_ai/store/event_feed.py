"""Read the audit trail as a feed: each change of state once, by whoever remembers a position."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from pacs_ai.store.schema import Delivery, Event, Job

_IDS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """A change of state of one row.

    ``entity`` is ``study``, ``job`` or ``delivery``, ``key`` the id of its row. ``before`` is ""
    for a row that is new.
    """

    id: int
    at: datetime
    entity: str
    key: str
    before: str
    after: str


def changes(session: Session, after: int, missing: Collection[int], limit: int) -> list[Change]:
    """Return the changes after a position, in order, and those that were missing before it.

    PostgreSQL hands out ids before transactions commit: an id that is missing may still come. On
    SQLite none is missing, as one transaction writes at a time.
    """
    which = Event.id > after
    if missing:
        which = sa.or_(which, Event.id.in_(missing))
    query = (
        sa.select(
            Event.id, Event.at, Event.entity, Event.entity_id, Event.from_state, Event.to_state
        )
        .where(which)
        .order_by(Event.id)
        .limit(limit)
    )
    return [Change(*row) for row in session.execute(query)]


def last_change(session: Session) -> int:
    """Return the id of the newest change; 0 if there is none."""
    return session.scalar(sa.select(sa.func.max(Event.id))) or 0


def labels(session: Session, found: Sequence[Change]) -> Mapping[tuple[str, str], str]:
    """Return the model of each job, and the destination of each delivery, that changes are about.

    Returns
    -------
    mapping
        By entity and key. A row that was deleted since is left out.
    """
    jobs = {one.key for one in found if one.entity == "job"}
    sent = {int(one.key) for one in found if one.entity == "delivery"}
    return {
        **{("job", key): value for key, value in _names(session, Job.id, Job.model_name, jobs)},
        **{
            ("delivery", key): value
            for key, value in _names(session, Delivery.id, Delivery.destination, sent)
        },
    }


def _names(
    session: Session,
    key: InstrumentedAttribute[Any],
    name: InstrumentedAttribute[str],
    keys: Collection[Any],
) -> list[tuple[str, str]]:
    ids = sorted(keys)
    found: list[tuple[str, str]] = []
    for start in range(0, len(ids), _IDS_AT_ONCE):
        query = sa.select(key, name).where(key.in_(ids[start : start + _IDS_AT_ONCE]))
        found.extend((str(one), value) for one, value in session.execute(query))
    return found
