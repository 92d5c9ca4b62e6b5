"""Find out what is to be told: from the audit trail, and from what is the case now."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pacs_ai.config import NotificationSection
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import DOWN
from pacs_ai.flow.replaced_runtimes import replaced_runtimes
from pacs_ai.store import event_feed, happened, notifications
from pacs_ai.store.event_feed import Change
from pacs_ai.store.notifications import ToTell
from pacs_ai.store.session import Session

_WINDOW = 1000
"""Events that are looked at again: PostgreSQL may show a lower number after a higher one."""
_BATCH = 2000
_GIB = 1 << 30

_CONDITIONS: Mapping[tuple[str, str], str] = {
    ("job", "SUCCEEDED"): "positive",
    ("job", "REJECTED"): "rejected",
    ("job", "FAILED"): "failed",
    ("delivery", "FAILED"): "failed",
    ("study", "CONFLICT"): "conflict",
}
"""By entity and new state."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that has happened.

    Parameters
    ----------
    key
        The same whenever the same is found again.
    rules
        Names of the rules that it is of; None where it is of no rule.
    findings
        Of a result: name, decision and probability of each class.
    what
        What a message says of it; ids of the node, no UID.
    waited
        Since when a destination that is down is waited for.
    """

    condition: str
    key: str
    at: datetime
    what: Mapping[str, Any]
    rules: frozenset[str] | None = None
    findings: Sequence[Mapping[str, str]] = field(default=())
    waited: timedelta = timedelta(0)


class Gatherer:
    """Keeps what has happened since `begin` for those who are to be told, at each call."""

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._window = 0 if context.database.is_sqlite else _WINDOW
        self._seen: set[int] = set()

    def gather(self) -> int:
        """Look at what is new; return how many notifications were made."""
        context = self._context
        wanted = context.config.notifications
        if not wanted:
            return 0
        now = context.now()
        with context.database.read() as session:
            position = notifications.position(session) or 0
            events = self._changes(session, position)
            found = [*_occurrences(session, events), *_down(session, now)]
        found += [*_disk(context, now), *_runtimes(context, now)]
        to_tell = [one for each in found for one in _to_tell(wanted, each)]
        read = max((change.id for change in events), default=position)
        new = 0
        if to_tell or position != read:
            with context.write(durable=bool(to_tell)) as transaction:
                new = notifications.add(transaction, to_tell)
                notifications.set_position(transaction, read)
        self._seen.update(change.id for change in events)
        self._seen = {one for one in self._seen if one > read - self._window}
        return new

    def _changes(self, session: Session, position: int) -> list[Change]:
        after = max(0, position - self._window)
        changes = event_feed.changes(session, after, (), self._window + _BATCH)
        return [one for one in changes if one.id not in self._seen]


def begin(context: FlowContext) -> None:
    """Take what has happened so far as told, if nobody has looked since notifications are wanted.

    To be called before the node receives: then nothing that it does is left out. What this node was
    sending when it died is sent again.
    """
    with context.write() as transaction:
        notifications.take_back(transaction, context.spool.node)
    wanted = bool(context.config.notifications)
    with context.database.read() as session:
        known = notifications.position(session) is not None
    if wanted == known:
        return
    with context.write() as transaction:
        if wanted:
            notifications.set_position(transaction, event_feed.last_change(transaction))
        else:
            notifications.forget_position(transaction)


def _occurrences(session: Session, changes: Sequence[Change]) -> Iterator[Occurrence]:
    told = [one for one in changes if (one.entity, one.after) in _CONDITIONS]
    facts = happened.facts(session, told)
    for change in told:
        fact = facts.get((change.entity, change.key))
        if fact is None:
            continue  # its row was deleted since
        yield Occurrence(
            _CONDITIONS[change.entity, change.after],
            f"event:{change.id}",
            change.at,
            fact.what,
            None if fact.rules is None else frozenset(fact.rules),
            fact.findings,
        )


def _down(session: Session, now: datetime) -> Iterator[Occurrence]:
    """Give the destinations that results wait for; the oldest of them names the outage."""
    for one in happened.waiting_for(session, DOWN):
        what = {"destination": one.destination, "error": one.error_code, "waiting": one.count}
        key = f"down:{one.first}"
        waited = now - one.since
        yield Occurrence("destination_down", key, now, what, waited=waited)


def _disk(context: FlowContext, now: datetime) -> Iterator[Occurrence]:
    """Tell once a day that the disk is almost full."""
    least = context.config.storage.min_free_gb
    try:
        free = context.spool.free_bytes() / _GIB
    except StorageError:
        return
    if free < least:
        what = {"free_gb": round(free, 1), "least_gb": least}
        yield Occurrence("disk", f"disk:{context.spool.node}:{now:%Y-%m-%d}", now, what)


def _runtimes(context: FlowContext, now: datetime) -> Iterator[Occurrence]:
    """Tell once a day, of each node, which models another runtime computes."""
    with contextlib.suppress(StorageError):
        for one in list(replaced_runtimes(context.spool)):
            what = {"node": one.node, "model": one.model, "error": one.error}
            key = hashlib.sha256(" ".join(what.values()).encode()).hexdigest()
            yield Occurrence("runtime", f"runtime:{key}:{now:%Y-%m-%d}", now, what)


def _to_tell(wanted: Iterable[NotificationSection], one: Occurrence) -> Iterator[ToTell]:
    for section in wanted:
        what = dict(one.what)
        if one.condition not in section.on or not _is_of(section, one):
            continue
        if one.condition == "positive":
            present = _present(section, one.findings)
            if not present:
                continue
            what["findings"] = present
        for peer in section.to:
            yield ToTell(section.name, peer, one.key, one.condition, one.at, what)


def _is_of(section: NotificationSection, one: Occurrence) -> bool:
    narrowed = section.rules and one.rules is not None
    if narrowed and not frozenset(section.rules).intersection(one.rules or ()):
        return False
    waits = one.condition == "destination_down"
    return not waits or one.waited.total_seconds() >= section.after_seconds


def _present(
    section: NotificationSection, findings: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return the findings of a result that make it positive for a section."""
    found = []
    for one in findings:
        if section.findings and one["name"] not in section.findings:
            continue
        probability = one.get("probability", "")
        if section.above is None or not one["decision"] or not probability:
            positive = one["decision"] == "present"
        else:
            positive = float(probability) >= section.above
        if positive:
            found.append({"name": one["name"], "probability": probability})
    return found
