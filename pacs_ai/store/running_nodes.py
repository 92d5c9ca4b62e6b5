"""The nodes that work with a database: a row each, with a sign of life.

``beats`` is compared only with its own earlier value, by those who look again and again: no clock
has to be right for that. A lock in the spool would tell the same on one machine alone. Of a folder
on a network it may tell nothing, and nothing of a node that is cut off from the database.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from pacs_ai.store.columns import Base
from pacs_ai.store.session import Transaction


class RunningNode(Base):
    """A daemon that runs, or has ended without a word.

    ``boot`` stands for one start of it, ``machine`` for one start of the system that it runs on.
    ``settings`` has a digest of each section of its configuration, by name. ``clock_ahead`` is by
    how many seconds its clock differed from that of the database at the last sign of life;
    ``seen_at`` is the time of that by the clock of the database.
    """

    __tablename__ = "node"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    boot: Mapped[str] = mapped_column(String(32))
    machine: Mapped[str] = mapped_column(String(64))
    listening: Mapped[bool]
    version: Mapped[str] = mapped_column(String(64))
    schema_step: Mapped[str] = mapped_column(String(32))
    settings: Mapped[dict[str, str]] = mapped_column(JSON)
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    beats: Mapped[int] = mapped_column(default=0)
    clock_ahead: Mapped[float] = mapped_column(default=0.0)

    @property
    def sign(self) -> tuple[str, int]:
        """What changes with each sign of life."""
        return self.boot, self.beats


def database_time(session: Session, now: datetime) -> datetime:
    """Return date and time by the clock of the database's server; `now` where it has no own."""
    if session.get_bind().dialect.name == "sqlite":
        return now
    moment: datetime = session.scalars(sa.select(sa.func.clock_timestamp())).one()
    return moment.astimezone(UTC)


def all_nodes(session: Session) -> Sequence[RunningNode]:
    """Return all nodes that run, or did not say that they end, by name."""
    return session.scalars(sa.select(RunningNode).order_by(RunningNode.name)).all()


def enter(transaction: Transaction, node: RunningNode) -> None:
    """Enter a node that starts, in the place of an earlier one of its name."""
    transaction.merge(node)


def beat(
    transaction: Transaction, name: str, boot: str, seen_at: datetime, clock_ahead: float
) -> bool:
    """Give a sign of life; False if the row is missing, or another start of the node made it."""
    changed = transaction.execute(
        sa.update(RunningNode)
        .where(RunningNode.name == name, RunningNode.boot == boot)
        .values(beats=RunningNode.beats + 1, seen_at=seen_at, clock_ahead=clock_ahead)
    )
    return cast("sa.CursorResult[Any]", changed).rowcount > 0


def leave(transaction: Transaction, name: str, boot: str) -> None:
    """Remove the row of a node that ends."""
    transaction.execute(
        sa.delete(RunningNode).where(RunningNode.name == name, RunningNode.boot == boot)
    )


def forget(transaction: Transaction, before: datetime) -> None:
    """Remove nodes that gave no sign of life since a time."""
    transaction.execute(sa.delete(RunningNode).where(RunningNode.seen_at < before))
