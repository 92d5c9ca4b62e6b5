"""Read the audit trail as a feed: each change of state once, by whoever remembers a position."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session

from pacs_ai.store.schema import Delivery, Event, Job

_IDS_AT_ONCE = 500

_EVENT = Event.__table__.c
_NEWER = _EVENT.id > sa.bindparam("after")
_CHANGES = sa.select(
    _EVENT.id, _EVENT.at, _EVENT.entity, _EVENT.entity_id, _EVENT.from_state, _EVENT.to_state
).order_by(_EVENT.id)
_NEW = _CHANGES.where(_NEWER)
_LAST = sa.select(sa.func.max(_EVENT.id))


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
    query = _NEW if not missing else _CHANGES.where(sa.or_(_NEWER, _EVENT.id.in_(missing)))
    rows = session.execute(query.limit(limit), {"after": after})
    return [Change(*row) for row in rows]


def last_change(session: Session) -> int:
    """Return the id of the newest change; 0 if there is none."""
    return session.scalar(_LAST) or 0


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
