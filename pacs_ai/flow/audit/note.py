"""Events that are no change of a row's state: starts, configurations, accesses."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress

from pacs_ai.config import describe
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import ledger_facts
from pacs_ai.store.transition import record

_DIGITS = 16
_ENTITY = 36
"""Characters of the id of what an event is about."""


def started(context: FlowContext, node: str) -> None:
    """Note that the node starts, and whether its configuration is another one than before."""
    node = node[:_ENTITY]
    with context.write() as transaction:
        record(transaction, "node", node, "", "STARTED")
        known = _digests(ledger_facts.last_note(transaction, "configuration", node))
        now = {
            name: hashlib.sha256(json.dumps(section, sort_keys=True, default=str).encode())
            .hexdigest()[:_DIGITS]
            for name, section in describe(context.config).items()
        }  # fmt: skip
        changed = sorted(name for name in {*known, *now} if known.get(name) != now.get(name))
        if changed:
            said = f"changed: {', '.join(changed)}; sha256 of each section: {json.dumps(now)}"
            record(transaction, "configuration", node, "", "CHANGED", note=said)


def stopped(context: FlowContext, node: str, *, busy_seconds: float) -> None:
    """Note that the node stops in order; it stops all the same where that fails."""
    with suppress(StorageError), context.write(busy_seconds=busy_seconds) as transaction:
        record(transaction, "node", node[:_ENTITY], "", "STOPPED")


def accessed(context: FlowContext, study_id: int, what: str) -> None:
    """Note that somebody has looked at a study; they see it all the same where that fails."""
    with suppress(StorageError), context.write(busy_seconds=1) as transaction:
        record(transaction, "access", study_id, "", "READ", note=what)


def exported(context: FlowContext, study_id: int, what: str) -> None:
    """Note that somebody has written the evidence of a study."""
    with context.write() as transaction:
        record(transaction, "evidence", study_id, "", "WRITTEN", note=what)


def log_used(context: FlowContext, what: str) -> None:
    """Note that somebody has read or checked the ledger."""
    with context.write() as transaction:
        record(transaction, "audit", "", "", "READ", note=what)


def _digests(note: str) -> Mapping[str, str]:
    """Read the digests of the sections from the note of the last change."""
    _, _, digests = note.partition("sha256 of each section: ")
    return json.loads(digests) if digests else {}
