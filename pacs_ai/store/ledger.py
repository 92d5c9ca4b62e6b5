"""The ledger: audit messages in one chain for the whole database.

What happened is an `Event`, in the same transaction as what it tells. The ledger takes the events
over soon afterwards: it makes a message of each, and chains it to the line before. So no step that
a sender or a worker waits for pays for the message, and writers do not wait for one another.

The hash of a line is SHA-256 over the hash before it and over all its columns, the digest of its
event among them: no byte of a line or of its event changes without notice. The spool says where the
chain ends (`Anchor`): lines that are missing at the end are noticed, too, and so is a chain that
was computed again.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.ledger_anchor import Anchor
from pacs_ai.store.schema import Event, LedgerLine
from pacs_ai.store.session import Transaction

_LOCK = 0x70616373
"""Advisory lock of PostgreSQL: one process appends at a time."""

_NO_TEXT = b"\xff"
"""Stands for a value that is no text: no text is written so in UTF-8."""

_OWN = "%/%/%"
"""Actors of this form are processes of a node; their steps inside a job tell nobody anything."""
_INNER = ("QUEUED", "RUNNING", "PENDING", "SENDING", "COMMITTING")
_LINE = LedgerLine.metadata.tables[LedgerLine.__tablename__]
_EVENT = Event.metadata.tables[Event.__tablename__]
_EVENT_ORDER = (
    *("id", "at", "entity", "entity_id", "from_state", "to_state"),
    *("actor", "user_name", "note"),
)
_TOLD = sa.not_(_EVENT.c.to_state.in_(_INNER) & _EVENT.c.actor.like(_OWN))


@dataclass(frozen=True, slots=True)
class Entry:
    """A message about an event, still to be chained; ``study_id`` is 0 where it is of no study."""

    event: Event
    study_id: int
    message: str


def lock(transaction: Transaction) -> None:
    """Let this transaction alone append to the chain; on SQLite every writer is alone."""
    if transaction.get_bind().dialect.name == "postgresql":
        transaction.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def unchained(session: Session, after: int, most: int) -> Sequence[Event]:
    """Return events that have no line yet, oldest first.

    Parameters
    ----------
    after
        Events up to this id have all been dealt with.
    most
        How many at most.
    """
    query = (
        sa.select(Event)
        .where(
            Event.id > after,
            _TOLD,
            ~sa.exists().where(LedgerLine.event_id == Event.id, LedgerLine.event_id > after),
        )
        .order_by(Event.id)
        .limit(most)
    )
    return session.scalars(query).all()


def newest_event(session: Session) -> int:
    """Return the highest id of an event that has a line; 0 if there is no line."""
    return session.scalar(sa.select(sa.func.max(LedgerLine.event_id))) or 0


def end_of(session: Session, anchor: Anchor) -> tuple[int, str]:
    """Return number and hash of the last line; where the chain begins if there is none."""
    query = sa.select(_LINE.c.number, _LINE.c.hash).order_by(_LINE.c.number.desc()).limit(1)
    row = session.execute(query).first()
    return (row[0], row[1]) if row else (anchor.first - 1, anchor.before)


def misfit(session: Session, anchor: Anchor) -> str:
    """Say how the chain differs from what the spool knows of its end; "" if it does not."""
    if anchor.last < anchor.first:
        return ""
    known = session.scalar(sa.select(_LINE.c.hash).where(_LINE.c.number == anchor.last))
    if known is None:
        number, _ = end_of(session, anchor)
        return f"{anchor.last - number} lines are missing at the end, up to {anchor.last}"
    return "" if known == anchor.hash else f"line {anchor.last} is not the one that was written"


def append(
    transaction: Transaction, entries: Iterable[Entry], node: str, anchor: Anchor
) -> tuple[int, str]:
    """Chain messages to the end of the ledger; the caller holds the `lock`.

    Returns
    -------
    tuple
        Number and hash of the last line.
    """
    number, before = end_of(transaction, anchor)
    lines = []
    for entry in entries:
        number += 1
        line = {
            "number": number,
            "event_id": entry.event.id,
            "study_id": entry.study_id,
            "at": stamp(entry.event.at),
            "node": node,
            "event_digest": event_digest(_event_values(entry.event)),
            "message": entry.message,
        }
        before = line_hash(before, line)
        lines.append({**line, "hash": before})
    if lines:
        transaction.execute(sa.insert(_LINE), lines)
    return number, before


def line_hash(before: str, line: dict[str, Any]) -> str:
    """Return the hash of a line that follows the line with the hash ``before``."""
    names = ("number", "event_id", "study_id", "at", "node", "event_digest", "message")
    return _hash([before, *(str(line[name]) for name in names)])


def event_digest(values: Sequence[str]) -> str:
    """Return the digest of an event."""
    return _hash(values)


def stamp(moment: datetime) -> str:
    """Write a UTC time as the columns of SQLite have it."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def _event_values(event: Event) -> list[str]:
    words = (event.entity, event.entity_id, event.from_state, event.to_state)
    values = [str(event.id), stamp(event.at), *words, event.actor, event.user_name, event.note]
    return [*values, *_if_any(event.address)]


def _if_any(address: str) -> list[str]:
    """Return an address as a list: events without one have the digest of before there were any."""
    return [address] if address else []


def _hash(values: Sequence[str]) -> str:
    """Hash texts so that none of them can take over a part of its neighbour."""
    digest = hashlib.sha256()
    for value in values:
        content = value.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(content))
        digest.update(content)
    return digest.hexdigest()


def raw_lines(session: Session) -> Iterator[tuple[dict[str, Any], list[str] | None]]:
    """Give all lines, each with the values of its event (None if it is gone), as they are stored.

    Bytes that are no text are kept as they are: an altered row must not end the check.
    """
    sqlite = session.get_bind().dialect.name == "sqlite"
    named = [*_LINE.c, *(column.label(f"event {column.name}") for column in _EVENT.c)]
    columns = [_stored(column, sqlite=sqlite) for column in named]
    joined = _LINE.outerjoin(_EVENT, _EVENT.c.id == _LINE.c.event_id)
    query = sa.select(*columns).select_from(joined).order_by(_LINE.c.number)
    size = len(_LINE.c)
    for row in session.execute(query, execution_options={"yield_per": 1000}):
        values = [_text(value) for value in row]
        line = dict(zip((column.name for column in _LINE.c), values[:size], strict=True))
        event = dict(zip((column.name for column in _EVENT.c), values[size:], strict=True))
        known = None
        if row[size] is not None:
            known = [*(event[name] for name in _EVENT_ORDER), *_if_any(event["address"])]
        yield line, known


def _stored(column: Any, *, sqlite: bool) -> Any:  # noqa: ANN401 - SQLAlchemy's columns
    """Select a column; on SQLite as bytes, and other ones if one bit made a blob of a text."""
    if not sqlite:
        return column
    blob = sa.func.typeof(column) == "blob"
    return sa.case((blob, sa.literal(_NO_TEXT)), else_=sa.cast(column, sa.LargeBinary))


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return stamp(value) if isinstance(value, datetime) else str(value)


def prune(transaction: Transaction, before: datetime, anchor: Anchor, most: int) -> Anchor:
    """Remove the lines at the beginning that are older than a time; the last line stays.

    Parameters
    ----------
    most
        How many lines at most.

    Returns
    -------
    Anchor
        Where the chain begins now.
    """
    end = min(anchor.last, anchor.first + most)
    young = sa.select(sa.func.min(_LINE.c.number)).where(
        _LINE.c.number < end, _LINE.c.at >= stamp(before)
    )
    first = transaction.scalar(young) or end
    old = _LINE.c.number < first
    last_removed = transaction.scalar(sa.select(_LINE.c.hash).where(_LINE.c.number == first - 1))
    if last_removed is None:
        return anchor
    event = transaction.scalar(sa.select(sa.func.max(_LINE.c.event_id)).where(old))
    transaction.execute(sa.delete(_LINE).where(old))
    return replace(anchor, first=first, before=last_removed, removed=event or 0)
