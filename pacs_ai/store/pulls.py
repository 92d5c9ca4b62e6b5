"""Studies that are fetched from archives: one function for each transition.

QUEUED → RUNNING → DONE, FAILED, or QUEUED again. By a person QUEUED, RUNNING → CANCELLED, and
what has ended → QUEUED.

The audit trail has a line for each study and step (``pull``, with the id of the row), and one for
each request (``retrieval``, with the name of the peer): a list may have ten thousand studies.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.priorities import Priority
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record, record_moves

PULL, RETRIEVAL = "pull", "retrieval"
"""Entities of the audit trail: a study, and a request for many."""

_AT_ONCE = 500
"""Values that both databases accept in one statement."""


class PullState(StrEnum):
    """Where a study that is fetched stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_OPEN = (PullState.QUEUED, PullState.RUNNING)
_NAME = 36
"""Characters of a peer's name that the audit trail keeps."""


@dataclass(frozen=True, slots=True)
class ClaimedPull:
    """A study to fetch now."""

    id: int
    peer: str
    study_instance_uid: str
    attempt: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a study has not come whole: code and text, and how many of its instances are here."""

    code: str
    text: str
    instances: int

    @property
    def columns(self) -> dict[str, object]:
        """What the row says of it."""
        said = {"error_code": self.code, "error_text": self.text}
        return {**said, "instances": self.instances}

    @property
    def note(self) -> str:
        """What the audit trail says of it."""
        return f"{self.code}: {self.text}; here of the study: {_instances(self.instances)}"


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
        Those that are DONE or FAILED become QUEUED, too, as those that were CANCELLED do;
        otherwise they stay as they are.
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
        ended = (PullState.CANCELLED, *((PullState.DONE, PullState.FAILED) if again else ()))
        entered += _begin_again(transaction, [row for row in known.values() if row.state in ended])
        new = [uid for uid in some if uid not in known]
        transaction.add_all([_row(transaction, peer, uid, priority) for uid in new])
        entered += len(new)
    transaction.flush()
    if entered:
        record(transaction, RETRIEVAL, peer[:_NAME], "", "ASKED", note=_studies(entered))
    return entered


def _counted(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def _instances(count: int) -> str:
    return _counted(count, "instance", "instances")


def _studies(count: int) -> str:
    return _counted(count, "study", "studies")


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


def _begin_again(transaction: Transaction, rows: Sequence[Pull]) -> int:
    """Move DONE/FAILED/CANCELLED → QUEUED."""
    for row in rows:
        row.state, row.attempt, row.instances = PullState.QUEUED, 0, 0
        row.created_at = row.due_at = transaction.now
        row.finished_at, row.error_code, row.error_text = None, "", ""
    return len(rows)


def peers_due(session: Session, now: datetime, owner: str) -> list[str]:
    """Return the peers that studies are due from, or that a process is fetching from."""
    due = sa.and_(Pull.state == PullState.QUEUED, Pull.due_at <= now)
    held = sa.and_(Pull.state == PullState.RUNNING, Pull.owner == owner)
    query = sa.select(Pull.peer).where(sa.or_(due, held))
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
    record(transaction, PULL, row.id, PullState.QUEUED, PullState.RUNNING)
    return ClaimedPull(row.id, row.peer, row.study_instance_uid, row.attempt, row.created_at)


def is_wanted(session: Session, claimed: ClaimedPull) -> bool:
    """Tell whether a study that is being fetched is still to be: nobody has cancelled it."""
    return session.scalar(sa.select(sa.exists().where(*_held(claimed)))) is True


def _held(claimed: ClaimedPull) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions of the row as it was claimed; one that began again is another."""
    return (
        Pull.id == claimed.id,
        Pull.state == PullState.RUNNING,
        Pull.attempt == claimed.attempt,
        Pull.created_at == claimed.created_at,
    )


def done(transaction: Transaction, claimed: ClaimedPull, instances: int) -> bool:
    """Move RUNNING → DONE: the peer has sent it."""
    note = f"{claimed.peer} has sent {_instances(instances)}"
    values = {"finished_at": transaction.now, "instances": instances}
    return _end(transaction, claimed, PullState.DONE, note, **values, error_code="", error_text="")


def postpone(
    transaction: Transaction, claimed: ClaimedPull, failure: Failure, due_at: datetime
) -> bool:
    """Move RUNNING → QUEUED: it is tried again at a time."""
    return _end(
        transaction, claimed, PullState.QUEUED, failure.note, **failure.columns, due_at=due_at
    )


def fail(transaction: Transaction, claimed: ClaimedPull, failure: Failure) -> bool:
    """Move RUNNING → FAILED."""
    values = {**failure.columns, "finished_at": transaction.now}
    return _end(transaction, claimed, PullState.FAILED, failure.note, **values)


def _end(
    transaction: Transaction, claimed: ClaimedPull, state: PullState, note: str, **values: object
) -> bool:
    changed = transaction.execute(
        sa.update(Pull).where(*_held(claimed)).values(owner="", state=state, **values)
    )
    if not getattr(changed, "rowcount", 0):
        return False
    record(transaction, PULL, claimed.id, PullState.RUNNING, state, note=note)
    return True


def take_back(transaction: Transaction, owner: str, peer: str | None = None) -> int:
    """Move RUNNING → QUEUED for what is not being fetched any more.

    Parameters
    ----------
    owner
        A node that has ended; or a process of one, whose outcome the database did not take.
    peer
        Only from this one; None for all.
    """
    whose = sa.or_(Pull.owner == owner, Pull.owner.startswith(f"{owner}/", autoescape=True))
    query = sa.select(Pull).where(Pull.state == PullState.RUNNING, whose)
    if peer is not None:
        query = query.where(Pull.peer == peer)
    rows = transaction.scalars(query).all()
    for row in rows:
        row.state, row.owner, row.due_at = PullState.QUEUED, "", transaction.now
    arrow = PullState.RUNNING, PullState.QUEUED
    record_moves(
        transaction, PULL, [row.id for row in rows], arrow, "it was not fetched to its end"
    )
    return len(rows)


def fetching_nodes(session: Session) -> set[str]:
    """Return the nodes that fetch a study, or have when they ended."""
    owners = session.scalars(sa.select(Pull.owner).where(Pull.state == PullState.RUNNING))
    return {owner.partition("/")[0] for owner in owners.all()}


def cancel(transaction: Transaction, peer: str | None, uids: Sequence[str] = ()) -> int:
    """Move QUEUED/RUNNING → CANCELLED, of one peer or of all; returns how many studies that are.

    Parameters
    ----------
    uids
        Only these; none for all.
    """
    query = sa.select(Pull).where(Pull.state.in_(_OPEN))
    if peer is not None:
        query = query.where(Pull.peer == peer)
    cancelled: Counter[str] = Counter()
    for begin in range(0, max(1, len(uids)), _AT_ONCE):
        some = uids[begin : begin + _AT_ONCE]
        those = [Pull.study_instance_uid.in_(some)] if some else []
        rows = transaction.scalars(query.where(*those).with_for_update()).all()
        for state in _OPEN:  # what was never asked for has no trail of its own
            begun = [row.id for row in rows if row.state == state and row.attempt]
            record_moves(transaction, PULL, begun, (state, PullState.CANCELLED), "")
        for row in rows:
            row.state, row.owner, row.finished_at = PullState.CANCELLED, "", transaction.now
        cancelled.update(row.peer for row in rows)
    for name, count in sorted(cancelled.items()):
        record(transaction, RETRIEVAL, name[:_NAME], "", "CANCELLED", note=_studies(count))
    transaction.flush()
    return cancelled.total()


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
