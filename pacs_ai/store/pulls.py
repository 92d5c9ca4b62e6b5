"""Studies that are fetched from archives: one function for each transition.

QUEUED → RUNNING → DONE, FAILED, or QUEUED again; FAILED and DONE → QUEUED by a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

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


def enter(transaction: Transaction, peer: str, uids: Sequence[str], *, again: bool = False) -> int:
    """Insert studies as QUEUED; returns how many are new or begin again.

    Those that were asked for before stay as they are; with ``again`` they become QUEUED, unless
    they are under way.
    """
    wanted = list(dict.fromkeys(uids))
    entered = 0
    for begin in range(0, len(wanted), _AT_ONCE):
        some = wanted[begin : begin + _AT_ONCE]
        query = sa.select(Pull.study_instance_uid).where(
            Pull.peer == peer, Pull.study_instance_uid.in_(some)
        )
        known = set(transaction.scalars(query))
        if again and known:
            entered += _begin_again(transaction, peer, known)
        new = [uid for uid in some if uid not in known]
        transaction.add_all([_row(transaction, peer, uid) for uid in new])
        entered += len(new)
    transaction.flush()
    return entered


def _row(transaction: Transaction, peer: str, uid: str) -> Pull:
    return Pull(
        peer=peer,
        study_instance_uid=uid,
        state=PullState.QUEUED,
        user_name=transaction.user,
        created_at=transaction.now,
        due_at=transaction.now,
    )


def _begin_again(transaction: Transaction, peer: str, uids: set[str]) -> int:
    """Move DONE/FAILED → QUEUED."""
    query = sa.select(Pull).where(
        Pull.peer == peer,
        Pull.study_instance_uid.in_(uids),
        Pull.state.in_((PullState.DONE, PullState.FAILED)),
    )
    rows = transaction.scalars(query).all()
    for row in rows:
        row.state, row.attempt, row.instances = PullState.QUEUED, 0, 0
        row.created_at = row.due_at = transaction.now
        row.finished_at, row.error_code, row.error_text = None, "", ""
    return len(rows)


def claim(transaction: Transaction) -> ClaimedPull | None:
    """Move QUEUED → RUNNING for the study that has been due longest; None if none is due."""
    query = (
        sa.select(Pull)
        .where(Pull.state == PullState.QUEUED, Pull.due_at <= transaction.now)
        .order_by(Pull.due_at, Pull.id)
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


def cancel(transaction: Transaction, peer: str | None) -> int:
    """Remove what is QUEUED, of one peer or of all; returns how many studies that are."""
    query = sa.select(Pull).where(Pull.state == PullState.QUEUED)
    if peer is not None:
        query = query.where(Pull.peer == peer)
    rows = transaction.scalars(query).all()
    for row in rows:
        transaction.delete(row)
    return len(rows)


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
