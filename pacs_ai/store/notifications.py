"""What is to be told (`Notification`), and the messages that tell it (`Message`).

A message is WAITING, SENDING, SENT or FAILED. Its text is made when it is sent: no column holds
patient data.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.store.columns import WORD, Base
from pacs_ai.store.schema import Meta
from pacs_ai.store.session import Transaction

_POSITION = "notified_event"


class MessageState(StrEnum):
    """Where a message to one peer stands."""

    WAITING = "WAITING"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"


_OPEN = (MessageState.WAITING, MessageState.SENDING)


class Message(Base):
    """One message to one peer; ``due_at`` is when it is tried again, and the end of a try.

    ``owner`` is who tries it or has tried it last, ``node/boot/process``.
    """

    __tablename__ = "message"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "state", "created_at"),
        sa.Index(None, "created_at"),
        sa.Index(None, "section", "destination", "created_at"),
    )
    id: Mapped[str] = mapped_column(sa.String(36), primary_key=True)
    section: Mapped[str] = mapped_column(sa.String(64))
    destination: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(WORD)
    attempt: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(sa.String(128), default="")
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error_code: Mapped[str] = mapped_column(sa.String(32), default="")
    error_text: Mapped[str] = mapped_column(sa.Text, default="")


class Notification(Base):
    """Something that one peer is to be told of, once: ``key`` says what, ``what`` the details.

    ``section`` is the name of the ``[[notifications]]`` that wants it told; so for a message.
    """

    __tablename__ = "notification"
    __table_args__ = (
        sa.UniqueConstraint("section", "destination", "key"),
        sa.Index(None, "key"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    section: Mapped[str] = mapped_column(sa.String(64))
    destination: Mapped[str] = mapped_column(sa.String(64))
    key: Mapped[str] = mapped_column(sa.String(128))
    condition: Mapped[str] = mapped_column(WORD)
    at: Mapped[datetime]
    what: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    message_id: Mapped[str | None] = mapped_column(sa.ForeignKey("message.id"), index=True)


_NOTIFICATION = cast("sa.Table", Notification.__table__)
_INSERT = {
    name: insert(_NOTIFICATION).on_conflict_do_nothing(
        index_elements=["section", "destination", "key"]
    )
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}
"""Another node may find the same at the same time."""


@dataclass(frozen=True, slots=True)
class ToTell:
    """A notification before it has a row."""

    section: str
    destination: str
    key: str
    condition: str
    at: datetime
    what: Mapping[str, Any]


def position(session: Session) -> int | None:
    """Return the id of the event up to which everything was looked at; None before the first."""
    row = session.get(Meta, _POSITION)
    return None if row is None else int(row.value)


def forget_position(transaction: Transaction) -> None:
    """Forget it: what happens from now on until the next start is not told."""
    transaction.execute(sa.delete(Meta).where(Meta.key == _POSITION))


def set_position(transaction: Transaction, event_id: int) -> None:
    """Remember it."""
    transaction.merge(Meta(key=_POSITION, value=str(event_id)))


def add(transaction: Transaction, wanted: Sequence[ToTell]) -> int:
    """Keep what is to be told, each only once; return how many are new."""
    keys = {one.key for one in wanted}
    query = sa.select(Notification.section, Notification.destination, Notification.key)
    known = {tuple(row) for row in transaction.execute(query.where(Notification.key.in_(keys)))}
    new = {
        (one.section, one.destination, one.key): one
        for one in wanted
        if (one.section, one.destination, one.key) not in known
    }
    if new:
        dialect = transaction.get_bind().dialect.name
        rows = [{**asdict(one), "what": dict(one.what)} for one in new.values()]
        transaction.execute(_INSERT[dialect], rows)
    return len(new)


def untold(session: Session) -> list[tuple[str, str, datetime | None]]:
    """Return section and peer of what is to be told, and when the last message was made."""
    pairs = (
        sa.select(Notification.section, Notification.destination)
        .where(Notification.message_id.is_(None))
        .distinct()
    )
    return [(name, peer, _last(session, name, peer)) for name, peer in session.execute(pairs)]


def _last(session: Session, section: str, destination: str) -> datetime | None:
    query = sa.select(sa.func.max(Message.created_at)).where(
        Message.section == section, Message.destination == destination
    )
    return session.scalar(query)


def begin(transaction: Transaction, section: str, destination: str) -> bool:
    """Make a WAITING message of all that is to be told to a peer; False if there is nothing."""
    message = Message(
        id=str(uuid.uuid4()),
        section=section,
        destination=destination,
        state=MessageState.WAITING,
        created_at=transaction.now,
        due_at=transaction.now,
    )
    transaction.add(message)
    transaction.flush()
    told = transaction.scalars(
        sa.update(Notification)
        .where(
            Notification.section == section,
            Notification.destination == destination,
            Notification.message_id.is_(None),
        )
        .values(message_id=message.id)
        .returning(Notification.id)
    ).all()
    if not told:  # another node was faster
        transaction.delete(message)
    return bool(told)


def due(session: Session, now: datetime) -> list[Message]:
    """Return the messages to be sent now: also one whose sender is gone, after its time."""
    query = sa.select(Message).where(Message.state.in_(_OPEN), Message.due_at <= now)
    return list(session.scalars(query.order_by(Message.created_at, Message.id)))


def of_message(session: Session, message_id: str) -> list[Notification]:
    """Return what a message tells, in its order."""
    query = (
        sa.select(Notification)
        .where(Notification.message_id == message_id)
        .order_by(Notification.id)
    )
    return list(session.scalars(query))


def claim(transaction: Transaction, message: Message, seconds: float) -> int | None:
    """Move WAITING or SENDING → SENDING; return the attempt, None if another has it."""
    attempt = message.attempt + 1
    until = transaction.now + timedelta(seconds=seconds)
    values = {"attempt": attempt, "due_at": until, "owner": transaction.actor}
    moved = _move(transaction, message.id, message.attempt, MessageState.SENDING, **values)
    return attempt if moved else None


def take_back(transaction: Transaction, node: str) -> None:
    """Move SENDING → WAITING for what this node has begun to send before it died."""
    transaction.execute(
        sa.update(Message)
        .where(Message.state == MessageState.SENDING, Message.owner.startswith(f"{node}/"))
        .values(state=MessageState.WAITING, due_at=transaction.now)
    )


def sent(transaction: Transaction, message_id: str, attempt: int) -> bool:
    """Move SENDING → SENT."""
    values = {"sent_at": transaction.now, "error_code": "", "error_text": ""}
    return _move(transaction, message_id, attempt, MessageState.SENT, **values)


def postpone(
    transaction: Transaction, message_id: str, attempt: int, due_at: datetime, why: tuple[str, str]
) -> bool:
    """Move SENDING → WAITING; `why` is the code and the text of an error."""
    code, text = why
    values = {"due_at": due_at, "error_code": code, "error_text": text}
    return _move(transaction, message_id, attempt, MessageState.WAITING, **values)


def fail(transaction: Transaction, message_id: str, attempt: int, why: tuple[str, str]) -> bool:
    """Move SENDING → FAILED."""
    code, text = why
    values = {"error_code": code, "error_text": text}
    return _move(transaction, message_id, attempt, MessageState.FAILED, **values)


def _move(
    transaction: Transaction, message_id: str, fence: int, target: MessageState, **values: object
) -> bool:
    """Change the state of an open message, if nobody has begun another attempt since."""
    result = transaction.execute(
        sa.update(Message)
        .where(Message.id == message_id, Message.state.in_(_OPEN), Message.attempt == fence)
        .values(state=target, **values)
        .returning(Message.id)
    )
    return result.first() is not None


def remove_before(transaction: Transaction, most: int, moment: datetime) -> int:
    """Delete messages that have ended before a moment, with what they told, `most` at most."""
    ended = sa.select(Message.id).where(Message.state.not_in(_OPEN), Message.created_at < moment)
    ids = list(transaction.scalars(ended.limit(most)))
    transaction.execute(sa.delete(Notification).where(Notification.message_id.in_(ids)))
    transaction.execute(sa.delete(Message).where(Message.id.in_(ids)))
    return len(ids)
