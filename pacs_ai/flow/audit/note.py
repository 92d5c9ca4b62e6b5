"""Events that are no change of a row's state: starts, configurations, accesses."""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress

from pacs_ai.config import Config, describe
from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import ledger_facts
from pacs_ai.store.transition import record

DIGESTS = "; sha256 of each section: "
"""Stands in the note of a changed configuration before what is for programs alone."""

_DIGITS = 16
_ENTITY = 36
"""Characters of the id of what an event is about."""


def started(context: FlowContext, node: str) -> None:
    """Note that the node starts, and whether its configuration is another one than before."""
    node = node[:_ENTITY]
    with context.write() as transaction:
        record(transaction, "node", node, "", "STARTED")
        known = _digests(ledger_facts.last_note(transaction, "configuration", node))
        now = section_digests(context.config)
        changed = sorted(name for name in {*known, *now} if known.get(name) != now.get(name))
        if changed:
            said = f"changed: {', '.join(changed)}{DIGESTS}{json.dumps(now)}"
            record(transaction, "configuration", node, "", "CHANGED", note=said)


def section_digests(config: Config) -> dict[str, str]:
    """Return what stands for each section of a configuration, by its name."""
    return {
        name: hashlib.sha256(json.dumps(section, sort_keys=True, default=str).encode())
        .hexdigest()[:_DIGITS]
        for name, section in describe(config).items()
    }  # fmt: skip


def stopped(context: FlowContext, node: str, *, busy_seconds: float) -> None:
    """Note that the node stops in order; it stops all the same where that fails."""
    with suppress(StorageError), context.write(busy_seconds=busy_seconds) as transaction:
        record(transaction, "node", node[:_ENTITY], "", "STOPPED")


def accessed(context: FlowContext, study_id: int, what: str, *, sent: bool = False) -> None:
    """Note that somebody has looked at a study; they see it all the same where that fails.

    Of the same person, study and way it is noted once a minute: a viewer fetches frames by the
    hundred.

    Parameters
    ----------
    what
        How.
    sent
        Whether files of the study were sent to them.
    """
    _note_once(context, "access", study_id, "SENT" if sent else "READ", what)


def asked(context: FlowContext, what: str, *, peer: str = "") -> None:
    """Note that somebody has searched, as `accessed`.

    Parameters
    ----------
    what
        How, and by which attributes; without any value that was looked for.
    peer
        The archive that was asked; "" for this node.
    """
    _note_once(context, "query", peer[:_ENTITY], "ASKED", what)


def refused(context: FlowContext, what: str, code: str, *, study_id: int | None = None) -> None:
    """Note that an action was refused, as `accessed`.

    Parameters
    ----------
    what
        The action, without values that were given.
    code
        Why: a code of `pacs_ai.errors`.
    study_id
        The study that it was about; None if it was about none, or about many.
    """
    entity, key = ("request", "") if study_id is None else ("refusal", study_id)
    _note_once(context, entity, key, "REFUSED", f"{what}: {code}")


def logged_in(context: FlowContext, how: str, *, refused: str = "") -> None:
    """Note that somebody has logged in, or has tried to, as `accessed`.

    Parameters
    ----------
    refused
        Code of `pacs_ai.errors` if it was refused; then nobody knows who it was.
    """
    said = f"{how}: {refused}" if refused else how
    _note_once(context, "login", "", "REFUSED" if refused else "DONE", said)


def _note_once(context: FlowContext, entity: str, key: int | str, state: str, what: str) -> None:
    same = (context.user or context.owner, context.address, entity, key, state, what)
    left_out = context.accesses.left_out(same, context.clock.monotonic())
    if left_out is None:
        return
    said = f"{what}; {left_out} more before" if left_out else what
    try:
        # whoever receives must not wait for the disk because somebody looks
        with context.write(busy_seconds=1, durable=False) as transaction:
            record(transaction, entity, key, "", state, note=said)
    except StorageError:
        context.accesses.not_told(same, left_out + 1)


def exported(context: FlowContext, study_id: int, what: str) -> None:
    """Note that somebody has written the evidence of a study."""
    with context.write() as transaction:
        record(transaction, "evidence", study_id, "", "WRITTEN", note=what)


def deidentified(context: FlowContext, study_id: int, what: str) -> None:
    """Note that somebody has written de-identified copies of the images of a study."""
    with context.write() as transaction:
        record(transaction, "export", study_id, "", "WRITTEN", note=what)


def log_used(context: FlowContext, what: str) -> None:
    """Note that somebody has read or checked the ledger."""
    with context.write() as transaction:
        record(transaction, "audit", "", "", "READ", note=what)


def _digests(note: str) -> Mapping[str, str]:
    """Read the digests of the sections from the note of the last change."""
    _, _, digests = note.partition(DIGESTS)
    return json.loads(digests) if digests else {}
