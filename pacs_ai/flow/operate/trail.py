"""The audit trail: what happened last."""

from pacs_ai.flow.context import FlowContext
from pacs_ai.store import overview
from pacs_ai.store.records import EventRecord


def list_events(context: FlowContext, limit: int) -> list[EventRecord]:
    """Return the newest lines of the audit trail, the last one first."""
    with context.database.read() as session:
        return [EventRecord.of(event) for event in overview.last_events(session, limit)]
