"""The messages of notifications as people and monitoring see them, and how one is sent again."""

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.notifications import Message, MessageState, Notification
from pacs_ai.store.open_work import Open
from pacs_ai.store.selection import begins_with
from pacs_ai.store.session import Transaction

RETRYABLE = (MessageState.FAILED, MessageState.WAITING)
"""States of a message that can be tried again."""


def listed(session: Session, state: str | None, limit: int) -> Sequence[Message]:
    """Return messages, the newest first.

    Parameters
    ----------
    state
        Only those in this state; None for all.
    """
    query = sa.select(Message).order_by(Message.created_at.desc(), Message.id).limit(limit)
    return session.scalars(query if state is None else query.where(Message.state == state)).all()


def counted(session: Session, ids: Collection[str]) -> Mapping[str | None, Mapping[str, int]]:
    """Count what messages tell, by their ids and by condition."""
    found: dict[str | None, dict[str, int]] = {}
    rows = sa.select(Notification.message_id, Notification.condition, sa.func.count())
    rows = rows.group_by(Notification.message_id, Notification.condition)
    for key, condition, count in session.execute(rows.where(Notification.message_id.in_(ids))):
        found.setdefault(key, {})[condition] = count
    return found


def counted_untold(session: Session, section: str, destination: str) -> Mapping[str, int]:
    """Count what the next message to a peer will tell, by condition."""
    rows = sa.select(Notification.condition, sa.func.count()).where(
        Notification.section == section,
        Notification.destination == destination,
        Notification.message_id.is_(None),
    )
    found = session.execute(rows.group_by(Notification.condition))
    return {row[0]: row[1] for row in found}


def by_state(session: Session) -> Sequence[Open]:
    """Count the messages that are kept, by peer and state."""
    rows = sa.select(
        Message.destination, Message.state, sa.func.count(), sa.func.min(Message.created_at)
    )
    rows = rows.group_by(Message.destination, Message.state)
    return [Open(*row) for row in session.execute(rows)]


def find(session: Session, prefix: str) -> Sequence[Message]:
    """Return the messages whose id begins with a text: at most two, which is one too many."""
    query = sa.select(Message).where(begins_with(Message.id, prefix)).limit(2)
    return session.scalars(query).all()


def in_state(session: Session, state: MessageState) -> Sequence[Message]:
    """Return all messages in a state, the oldest first."""
    query = sa.select(Message).where(Message.state == state)
    return session.scalars(query.order_by(Message.created_at, Message.id)).all()


def retry(transaction: Transaction, message: Message) -> bool:
    """Move FAILED/WAITING → WAITING, due now; the retry period starts again.

    Returns
    -------
    bool
        False if the message is in another state by now.
    """
    tried = transaction.execute(
        sa.update(Message)
        .where(Message.id == message.id, Message.state.in_(RETRYABLE))
        .values(
            state=MessageState.WAITING,
            attempt=0,
            created_at=transaction.now,
            due_at=transaction.now,
            error_code="",
            error_text="",
        )
        .returning(Message.id)
    )
    return tried.first() is not None
