"""Make messages of what is to be told, and send them: many notifications are one message."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from string import Template
from typing import Any

from pacs_ai.config import NotificationSection
from pacs_ai.destinations.messengers import OutgoingMessage, send_message
from pacs_ai.errors import PacsAIError, PeerError, StateError, StorageError
from pacs_ai.flow import retry
from pacs_ai.flow.batches import in_batches
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.patients import show_patients
from pacs_ai.logs import get_logger
from pacs_ai.store import notifications
from pacs_ai.store.notifications import Message, Notification

NAMED = 20
"""Most notifications that a message names; of all others it has the number."""

_CLAIM_SECONDS = 300.0
_KEPT = timedelta(days=30)
_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_WORDS = {
    "positive": "positive results",
    "rejected": "rejected jobs",
    "failed": "failures",
    "conflict": "studies in conflict",
    "destination_down": "destinations down",
    "disk": "disks almost full",
    "runtime": "runtimes replaced",
}

_log = get_logger()


def compose(context: FlowContext) -> int:
    """Make a message for each peer that is to be told something, unless it got one lately."""
    every = {one.name: one.every_seconds for one in context.config.notifications}
    with context.database.read() as session:
        untold = notifications.untold(session)
    now = context.now()
    ready = [
        (name, peer)
        for name, peer, last in untold
        if last is None or not last <= now < last + timedelta(seconds=every.get(name, 0))
    ]
    for name, peer in ready:
        with context.write() as transaction:
            notifications.begin(transaction, name, peer)
    return len(ready)


def send_due(context: FlowContext) -> None:
    """Send the messages that are due; each peer has a thread, so that none waits for another."""
    with context.database.read() as session:
        due: dict[str, list[Message]] = {}
        for message in notifications.due(session, context.now()):
            due.setdefault(message.destination, []).append(message)
    threads = [
        threading.Thread(target=_send_all, args=(context, peer, messages), daemon=True)
        for peer, messages in due.items()
        if context.limits.begin_probe(peer)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _WAIT_SECONDS
    for thread in threads:
        while thread.is_alive() and time.monotonic() < deadline and not context.stopping.is_set():
            thread.join(_LOOK_SECONDS)


def forget(context: FlowContext, today: datetime) -> None:
    """Remove messages that ended a while ago, with what they told."""
    in_batches(context, partial(notifications.remove_before, moment=today - _KEPT))


def _send_all(context: FlowContext, peer: str, messages: Sequence[Message]) -> None:
    try:
        for message in messages:
            if context.stopping.is_set() or not _send(context, message):
                return
    except StorageError as error:
        _log.warning("a notification waits for the storage", peer=peer, error=error.code)
    finally:
        context.limits.end_probe(peer)


def _send(context: FlowContext, message: Message) -> bool:
    """Send a message; False if the peer is out of reach, so that the others wait as well."""
    with context.write() as transaction:
        attempt = notifications.claim(transaction, message, _CLAIM_SECONDS)
        told = notifications.of_message(transaction, message.id)
    if attempt is None:
        return True
    try:
        outgoing = _outgoing(context, message, told)
        send_message(context.config, message.destination, outgoing)
    except PeerError as error:
        if not context.stopping.is_set():
            _put_off(context, message, attempt, error)
        return not error.retryable
    with context.write() as transaction:
        notifications.sent(transaction, message.id, attempt)
    _log.info("notification sent", peer=message.destination, notifications=len(told))
    return True


def _put_off(context: FlowContext, message: Message, attempt: int, error: PacsAIError) -> None:
    """Try again with the pauses of the peer, and for its time; then the message is FAILED."""
    peer = context.config.peers.get(message.destination)
    why = (error.code, error.message)
    with context.write() as transaction:
        if peer is not None:
            limits = (peer.retry_first_seconds, peer.retry_max_seconds)
            if error.retryable:
                tried = (message.created_at, transaction.now, attempt)
                over = retry.over(*tried, hours=peer.retry_hours, limits=limits)
            else:
                over = retry.refused_for_long(attempt, *limits, peer.retry_hours)
            if not over:
                due_at = transaction.now + retry.pause(attempt, *limits)
                notifications.postpone(transaction, message.id, attempt, due_at, why)
                return
        notifications.fail(transaction, message.id, attempt, why)
    _log.error("notification failed", peer=message.destination, error=error.code)


def _outgoing(
    context: FlowContext, message: Message, told: Sequence[Notification]
) -> OutgoingMessage:
    section = _section(context, message.section)
    counts = Counter(one.condition for one in told)
    items = [_item(context, section, one) for one in told[:NAMED]]
    said = ", ".join(f"{count} {_WORDS[condition]}" for condition, count in counts.items())
    left = len(told) - len(items)
    lines = [_line(one) for one in items] + ([f"and {left} more"] if left else [])
    values = {
        "id": message.id,
        "node": context.config.node.ae_title,
        "notification": message.section,
        "total": len(told),
        "counts": said,
        "items": "\n".join(lines),
    }
    subject, text = (Template(one).substitute(values) for one in (section.subject, section.text))
    content = {
        "id": message.id,
        "node": values["node"],
        "notification": message.section,
        "total": len(told),
        "counts": dict(counts),
        "items": items,
        "text": text,
    }
    return OutgoingMessage(message.id, context.now(), subject, text, content)


def _section(context: FlowContext, name: str) -> NotificationSection:
    """Return the section of a message; one that is not there any more gets the usual text."""
    known = {one.name: one for one in context.config.notifications}
    return known.get(name) or NotificationSection(name=name, on=("failed",), to=("-",))


def _item(context: FlowContext, section: NotificationSection, one: Notification) -> dict[str, Any]:
    item: dict[str, Any] = {"condition": one.condition, "at": one.at.isoformat(), **one.what}
    if section.with_patient and "study" in one.what:
        item["patients"] = _patients(context, section.name, str(one.what["study"]))
    return {key: value for key, value in item.items() if value not in ("", None, [], {})}


def _patients(context: FlowContext, name: str, study: str) -> list[dict[str, str]]:
    """Return whose study it is, or may be; the ledger has who was told. None if nobody can say."""
    told = replace(context, user=f"notification {name}"[:64])
    try:
        return list(show_patients(told, study).values())
    except (StateError, StorageError):
        return []


def _line(item: dict[str, Any]) -> str:
    """Write an item as a line of a mail."""
    return "; ".join(f"{key} {_text(value)}" for key, value in item.items())


def _text(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(str(one) for one in value.values())
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return str(value)
