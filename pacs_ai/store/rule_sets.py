"""Which rules are in force on a node: a row for each time that others were taken, or refused."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import JSON, Index, String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.store.columns import HEX, WORD, Base
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record


class RuleSetState(StrEnum):
    """Whether a set of rules came into force."""

    TAKEN = "TAKEN"
    REFUSED = "REFUSED"


class RuleSet(Base):
    """Rules, peers and times that a node was told to work with; ``id`` is their revision.

    The newest row of a node that is TAKEN is in force. The rules themselves are in the file
    ``path`` of the spool, as conditions may name patients; ``sha256`` is its digest. ``models``
    are those that the node has loaded. ``text`` says why a set was REFUSED.
    """

    __tablename__ = "rule_set"
    __table_args__ = (Index(None, "node", "state"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(WORD)
    sha256: Mapped[str] = mapped_column(HEX, default="")
    path: Mapped[str] = mapped_column(String(255), default="")
    models: Mapped[list[str]] = mapped_column(JSON, default=list)
    text: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]
    set_by: Mapped[str] = mapped_column(String(128))


_ROW = RuleSet.__table__.c
_NEWEST = sa.select(RuleSet).where(RuleSet.node == sa.bindparam("node")).order_by(_ROW.id.desc())
_IN_FORCE = _NEWEST.where(RuleSet.state == RuleSetState.TAKEN).limit(1)
_LAST = _NEWEST.limit(1)


def in_force(session: Session, node: str) -> RuleSet | None:
    """Return the row of what a node works with; None if it never started."""
    return session.scalar(_IN_FORCE, {"node": node})


def refused_last(session: Session, node: str) -> RuleSet | None:
    """Return the row of a set that was refused, if nothing was taken since."""
    row = session.scalar(_LAST, {"node": node})
    return row if row is not None and row.state == RuleSetState.REFUSED else None


def take(
    transaction: Transaction, node: str, *, sha256: str, path: str, models: Sequence[str]
) -> RuleSet:
    """Bring rules into force, in all processes of a node."""
    return _add(
        transaction, node, RuleSetState.TAKEN, sha256=sha256, path=path, models=sorted(models)
    )


def confirm(transaction: Transaction, row: RuleSet) -> None:
    """Note that the rules in force were asked for again: an earlier refusal is settled."""
    if refused_last(transaction, row.node) is not None:
        take(transaction, row.node, sha256=row.sha256, path=row.path, models=row.models)


def refuse(transaction: Transaction, node: str, text: str) -> RuleSet:
    """Note that rules were not taken, and why."""
    return _add(transaction, node, RuleSetState.REFUSED, text=text)


def _add(transaction: Transaction, node: str, state: RuleSetState, **values: object) -> RuleSet:
    who = transaction.user or transaction.actor
    row = RuleSet(node=node, state=state, at=transaction.now, set_by=who, **values)
    transaction.add(row)
    transaction.flush()
    note = f"revision {row.id}, sha256 {row.sha256[:12]}" if row.sha256 else row.text
    record(transaction, "rules", row.id, "", state, note=note)
    return row
