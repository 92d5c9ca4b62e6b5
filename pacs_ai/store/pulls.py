"""Studies that are fetched from archives: one function for each transition.

QUEUED → RUNNING → DONE, FAILED, or QUEUED again; FAILED and DONE → QUEUED by a person.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.priorities import Priority
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.session import Transaction

_AT_ONCE = 500
"""Values that both databases accept in one statement."""


class PullState(StrEnum):
    """Where a study that is fetched stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ClaimedPull:
    """A study to fetch now."""

    id: int
    peer: str
    study_instance_uid: str
    attempt: int
    created_at: datetime


def enter(
    transaction: Transaction,
    peer: str,
    uids: Sequence[str],
    *,
    again: bool = False,
    priority: Priority = Priority.ROUTINE,
) -> int:
    """Insert studies as QUEUED; returns how many are new or begin again.

    Parameters
    ----------
    again
        Those that are DONE or FAILED become QUEUED; otherwise they stay as they are.
    priority
        What is fetched first. Those that wait already, for later, are moved up to it.
    """
    wanted = list(dict.fromkeys(uids))
    entered = 0
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        query = sa.select(Pull).where(Pull.peer == peer, Pull.study_instance_uid.in_(some))
        known = {row.study_instance_uid: row for row in transaction.scalars(query)}
        for row in known.values():
            row.priority = min(row.priority, priority)
        if again:
            entered += _begin_again(transaction, known.values())
        new = [uid for uid in some if uid not in known]
        transaction.add_all([_row(transaction, peer, uid, priority) for uid in new])
        entered += len(new)
    transaction.flush()
    return entered


def _row(transaction: Transaction, peer: str, uid: str, priority: Priority) -> Pull:
    return Pull(
        peer=peer,
        study_instance_uid=uid,
        state=PullState.QUEUED,
        priority=priority,
        user_name=transaction.user,
        created_at=transaction.now,
        due_at=transaction.now,
    )


def _begin_again(transaction: Transaction, rows: Iterable[Pull]) -> int:
    """Move DONE/FAILED → QUEUED."""
    ended = [row for row in rows if row.state in (PullState.DONE, PullState.FAILED)]
    for row in ended:
        row.state, row.attempt, row.instances = PullState.QUEUED, 0, 0
        row.created_at = row.due_at = transaction.now
        row.finished_at, row.error_code, row.error_text = None, "", ""
    return len(ended)


def peers_due(session: Session, now: datetime) -> list[str]:
    """Return the peers that studies are due from."""
    query = sa.select(Pull.peer).where(Pull.state == PullState.QUEUED, Pull.due_at <= now)
    return sorted(session.scalars(query.distinct()))


def claim(transaction: Transaction, peer: str) -> ClaimedPull | None:
    """Move QUEUED → RUNNING for the study of a peer that comes first; None if none is due."""
    query = (
        sa.select(Pull)
        .where(Pull.state == PullState.QUEUED, Pull.peer == peer, Pull.due_at <= transaction.now)
        .order_by(Pull.priority, Pull.due_at, Pull.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = transaction.scalar(query)
    if row is None:
        return None
    row.state, row.owner, row.attempt = PullState.RUNNING, transaction.actor, row.attempt + 1
    transaction.flush()
    return ClaimedPull(row.id, row.peer, row.study_instance_uid, row.attempt, row.created_at)


def done(transaction: Transaction, claimed: ClaimedPull, instances: int) -> bool:
    """Move RUNNING → DONE: the peer has sent it."""
    values = {"state": PullState.DONE, "finished_at": transaction.now, "instances": instances}
    return _end(transaction, claimed, **values, error_code="", error_text="")


def postpone(
    transaction: Transaction, claimed: ClaimedPull, code: str, text: str, due_at: datetime
) -> bool:
    """Move RUNNING → QUEUED: it is tried again at a time."""
    values = {"state": PullState.QUEUED, "due_at": due_at}
    return _end(transaction, claimed, **values, error_code=code, error_text=text)


def fail(transaction: Transaction, claimed: ClaimedPull, code: str, text: str) -> bool:
    """Move RUNNING → FAILED."""
    values = {"state": PullState.FAILED, "finished_at": transaction.now}
    return _end(transaction, claimed, **values, error_code=code, error_text=text)


def _end(transaction: Transaction, claimed: ClaimedPull, **values: object) -> bool:
    changed = transaction.execute(
        sa.update(Pull)
        .where(
            Pull.id == claimed.id,
            Pull.state == PullState.RUNNING,
            Pull.attempt == claimed.attempt,
        )
        .values(owner="", **values)
    )
    return bool(getattr(changed, "rowcount", 0))


def take_back(transaction: Transaction, node: str) -> int:
    """Move RUNNING → QUEUED for what a node was fetching when it ended."""
    query = sa.select(Pull).where(
        Pull.state == PullState.RUNNING, Pull.owner.startswith(f"{node}/", autoescape=True)
    )
    rows = transaction.scalars(query).all()
    for row in rows:
        row.state, row.owner, row.due_at = PullState.QUEUED, "", transaction.now
    return len(rows)


def cancel(transaction: Transaction, peer: str | None, uids: Sequence[str] = ()) -> int:
    """Remove what is QUEUED, of one peer or of all; returns how many studies that are.

    Parameters
    ----------
    uids
        Only these; none for all.
    """
    where = [Pull.state == PullState.QUEUED]
    if peer is not None:
        where.append(Pull.peer == peer)
    removed = 0
    for begin in range(0, max(1, len(uids)), _AT_ONCE):
        some = uids[begin : begin + _AT_ONCE]
        those = [Pull.study_instance_uid.in_(some)] if some else []
        gone = transaction.execute(sa.delete(Pull).where(*where, *those))
        removed += getattr(gone, "rowcount", 0)
    return removed


def of_studies(session: Session, uids: Sequence[str]) -> Sequence[Pull]:
    """Return what was asked for of some studies, whatever peer was asked."""
    query = sa.select(Pull).where(Pull.study_instance_uid.in_(uids[:_AT_ONCE]))
    return session.scalars(query.order_by(Pull.id)).all()


def listed(session: Session, state: str | None, peer: str | None, limit: int) -> Sequence[Pull]:
    """Return studies that were asked for, the newest first."""
    query = sa.select(Pull)
    if state is not None:
        query = query.where(Pull.state == state)
    if peer is not None:
        query = query.where(Pull.peer == peer)
    return session.scalars(query.order_by(Pull.id.desc()).limit(limit)).all()


def counts(session: Session) -> dict[tuple[str, str], int]:
    """Count studies by peer and state."""
    query = sa.select(Pull.peer, Pull.state, sa.func.count()).group_by(Pull.peer, Pull.state)
    return {(peer, state): count for peer, state, count in session.execute(query)}
