"""Take events over into the ledger: a message for each, chained to the line before."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from pacs_ai.flow.audit.facts import facts_of
from pacs_ai.flow.audit.messages import message_of
from pacs_ai.flow.batches import BATCH
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.store import ledger
from pacs_ai.store.ledger import Entry
from pacs_ai.store.ledger_anchor import Anchor, alone, read_anchor, write_anchor
from pacs_ai.store.schema import Event
from pacs_ai.store.session import Session

_BATCH = 40
_BUDGET_SECONDS = 0.03
"""Processor time of one sweep: at one sweep in two seconds, less than 2 % of one core."""

_WINDOW = 10_000
"""Events before the newest line that are looked at again when a node starts."""

_BREAKS = 20
_SETTLED = timedelta(seconds=120)
"""After this time every event has been committed: no transaction takes so long."""

_log = get_logger()


class Sealer:
    """Appends to the ledger, a little at each call.

    PostgreSQL gives ids at the insert and shows rows at the commit: a lower id may appear after a
    higher one. So events are looked for again until they are `_SETTLED`. SQLite has one writer at a
    time, so ids appear in their order.

    Parameters
    ----------
    context
        The node.
    node
        Its name, the audit source of the messages.
    """

    def __init__(self, context: FlowContext, node: str) -> None:
        self._context = context
        self._node = node
        self._settled = timedelta(0) if context.database.is_sqlite else _SETTLED
        self._after: int | None = None
        self._passes: deque[tuple[datetime, int]] = deque()

    def sweep(self) -> int:
        """Chain what has happened, as far as the budget of a sweep allows.

        Returns
        -------
        int
            How many lines were appended.
        """
        started, count = time.thread_time(), 0
        while time.thread_time() - started < _BUDGET_SECONDS:
            done = self._batch()
            count += done
            if done < _BATCH:
                break
        return count

    def all(self) -> int:
        """Chain everything that has happened; return how many lines were appended."""
        count = 0
        while done := self._batch():
            count += done
        return count

    def _batch(self) -> int:
        context = self._context
        root = context.spool.root
        with context.database.read() as session:
            if not ledger.unchained(session, self._mark(session), 1):
                return 0
        with alone(root):
            events = self._append(root)
        self._passes.append((context.now(), events[-1].id if events else 0))
        return len(events)

    def _append(self, root: Path) -> Sequence[Event]:
        context = self._context
        with context.write() as transaction:
            ledger.lock(transaction)
            anchor = self._checked(transaction, read_anchor(root) or Anchor())
            after = max(self._after or 0, anchor.removed)
            events = ledger.unchained(transaction, after, _BATCH)
            entries = [
                Entry(
                    facts.event,
                    facts.study.id if facts.study else 0,
                    message_of(facts, context.config, self._node).xml(),
                )
                for facts in facts_of(transaction, events)
            ]
            number, last = ledger.append(transaction, entries, self._node, anchor)
        write_anchor(root, replace(anchor, last=number, hash=last))
        return events

    def _checked(self, session: Session, anchor: Anchor) -> Anchor:
        """Keep in mind that lines are gone or changed, before new ones hide where it was."""
        problem = ledger.misfit(session, anchor)
        if not problem:
            return anchor
        _log.error("the ledger was altered", reason=problem)
        said = f"before {self._context.now():%Y-%m-%d %H:%M:%S} UTC: {problem}"
        return replace(anchor, breaks=(*anchor.breaks, said)[-_BREAKS:])

    def _mark(self, session: Session) -> int:
        """Return the id up to which every event has its line, or had it."""
        if self._after is None:
            anchor = read_anchor(self._context.spool.root) or Anchor()
            self._after = max(anchor.removed, ledger.newest_event(session) - _WINDOW)
        while self._passes and self._passes[0][0] <= self._context.now() - self._settled:
            self._after = max(self._after, self._passes.popleft()[1])
        return self._after


def audit_source(context: FlowContext) -> str:
    """Return the node whose lines those of a command are: it sends them on, as its own."""
    return context.spool.node or next(iter(context.spool.nodes()), context.owner)


def prune(context: FlowContext, today: datetime) -> None:
    """Remove lines older than ``retention.ledger_days`` from the beginning of the ledger."""
    before = today - timedelta(days=context.config.kept.ledger_days)
    removed = BATCH
    while removed >= BATCH and not context.stopping.is_set():
        removed = _prune_some(context, before)


def _prune_some(context: FlowContext, before: datetime) -> int:
    """Remove the first old lines; return how many."""
    root = context.spool.root
    with alone(root):
        with context.write() as transaction:
            ledger.lock(transaction)
            anchor = read_anchor(root)
            shorter = anchor and ledger.prune(transaction, before, anchor, BATCH)
        if not anchor or not shorter or shorter == anchor:
            return 0
        write_anchor(root, shorter)
    return shorter.first - anchor.first
