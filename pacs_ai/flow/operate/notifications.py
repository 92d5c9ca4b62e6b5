"""Notifications: list the messages, try those again that failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.flow.operate.retrying import Retried
from pacs_ai.store import message_listing, notifications
from pacs_ai.store.message_listing import RETRYABLE
from pacs_ai.store.notifications import Message, MessageState
from pacs_ai.store.session import Session, Transaction

COLLECTED = "COLLECTED"
"""State of what is to be told and is in no message yet, because the last one is too recent."""


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """A message, or what the next one will tell; without anything that names a patient.

    ``notification`` is the name of the ``[[notifications]]`` that asks for it, ``conditions`` says
    how often what is told happened. ``due_at`` is the next try; None if there is none. What is
    `COLLECTED` has no ``id`` and no ``created_at``.
    """

    id: str
    notification: str
    destination: str
    state: str
    conditions: Mapping[str, int]
    attempt: int
    created_at: datetime | None
    due_at: datetime | None
    sent_at: datetime | None
    error_code: str
    error_text: str

    @classmethod
    def of(cls, row: Message, conditions: Mapping[str, int]) -> Self:
        """Make the record of a message."""
        return cls(
            id=row.id,
            notification=row.section,
            destination=row.destination,
            state=row.state,
            conditions=conditions,
            attempt=row.attempt,
            created_at=row.created_at,
            due_at=row.due_at if row.state == MessageState.WAITING else None,
            sent_at=row.sent_at,
            error_code=row.error_code,
            error_text=row.error_text,
        )


def list_notifications(
    context: FlowContext, state: str | None = None, limit: int = 50
) -> list[NotificationRecord]:
    """Return messages, the newest first; before them, what the next ones will tell.

    Parameters
    ----------
    state
        Only messages in this state; None for all, and for what is `COLLECTED`.
    """
    with context.database.read() as session:
        rows = message_listing.listed(session, state, limit)
        conditions = message_listing.counted(session, [row.id for row in rows])
        collected = [] if state is not None else _collected(context, session)
    return [*collected, *(NotificationRecord.of(row, conditions.get(row.id, {})) for row in rows)]


def _collected(context: FlowContext, session: Session) -> list[NotificationRecord]:
    every = {one.name: one.every_seconds for one in context.config.notifications}
    return [
        NotificationRecord(
            id="",
            notification=section,
            destination=peer,
            state=COLLECTED,
            conditions=message_listing.counted_untold(session, section, peer),
            attempt=0,
            created_at=None,
            due_at=None if last is None else last + timedelta(seconds=every.get(section, 0)),
            sent_at=None,
            error_code="",
            error_text="",
        )
        for section, peer, last in notifications.untold(session)
    ]


def retry_notifications(context: FlowContext, ids: Sequence[str]) -> Retried:
    """Send what is FAILED again, and what is WAITING at once; all of them or none.

    Parameters
    ----------
    ids
        Their ids, or how these begin.

    Raises
    ------
    StateError
        If there is no such message, or if several begin so.
    IllegalTransition
        If one of them is in another state.
    """
    with context.write() as transaction:
        rows = [_found(transaction, one) for one in dict.fromkeys(ids)]
        for row in rows:
            if not message_listing.retry(transaction, row):
                allowed = " or ".join(RETRYABLE)
                said = f"notification {row.id[:8]} is {row.state}"
                raise IllegalTransition(f"{said}: only what is {allowed} is sent again")
    return Retried(len(rows), [row.id for row in rows])


def retry_matching_notifications(context: FlowContext, state: str | None = None) -> Retried:
    """Send all messages of a state again.

    Parameters
    ----------
    state
        One of `RETRYABLE`; None for FAILED.

    Raises
    ------
    StateError
        If messages in this state cannot be sent again.
    """
    wanted = state or MessageState.FAILED
    if wanted not in RETRYABLE:
        raise StateError(f"what is {wanted} cannot be tried again, only {', '.join(RETRYABLE)}")
    with context.write() as transaction:
        rows = message_listing.in_state(transaction, MessageState(wanted))
        done = [row.id for row in rows if message_listing.retry(transaction, row)]
    return Retried(len(done), done)


def _found(transaction: Transaction, prefix: str) -> Message:
    found = message_listing.find(transaction, prefix) if prefix.strip() else []
    if not found:
        raise missing(f"no notification begins with {prefix!r}")
    if len(found) > 1:
        raise StateError(f"several notifications begin with {prefix!r}")
    return found[0]
