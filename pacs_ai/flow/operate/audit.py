"""The ledger: list and verify."""

from pacs_ai.errors import LedgerAltered
from pacs_ai.flow.audit import note
from pacs_ai.flow.audit.seal import Sealer, audit_source
from pacs_ai.flow.audit.verify import Verified, verify
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import ledger_listing
from pacs_ai.store.ledger_listing import LedgerRecord
from pacs_ai.store.selection import Filter


def list_ledger(context: FlowContext, wanted: Filter) -> list[LedgerRecord]:
    """Return lines of the ledger, the newest first; that they were read is a line as well.

    Parameters
    ----------
    wanted
        Its study, times and limit count.
    """
    Sealer(context, audit_source(context)).all()
    with context.database.read() as session:
        found = ledger_listing.lines(session, wanted)
    note.log_used(context, f"{len(found)} lines listed")
    return found


def check_ledger(context: FlowContext) -> Verified:
    """Check the ledger, and note that it was checked."""
    found = verify(context)
    if not found.problems:
        Sealer(context, audit_source(context)).all()
        note.log_used(context, f"{found.lines} lines verified")
    return found


def verify_ledger(context: FlowContext) -> Verified:
    """Check the ledger as `check_ledger` does.

    Raises
    ------
    LedgerAltered
        If anything was changed or is missing; the message says what.
    """
    found = check_ledger(context)
    if found.problems:
        raise LedgerAltered("; ".join(found.problems))
    return found
