"""Deliveries: list, sum up, retry, cancel."""

from collections.abc import Sequence

from pacs_ai.domain import DeliveryState
from pacs_ai.flow.ask import ask_delivery
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.flow.operate.retrying import Retried, retry_matching
from pacs_ai.store import operator, retryable, sending
from pacs_ai.store.records import DeliveryRecord
from pacs_ai.store.schema import Delivery
from pacs_ai.store.selection import Filter
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.store.session import Session, Transaction

RETRYABLE = (DeliveryState.FAILED, DeliveryState.WAITING)
"""States of a delivery that can be tried again."""

_MAX_ID = 2**63 - 1
"""Largest number that both databases accept."""


def list_deliveries(context: FlowContext, wanted: Filter) -> list[DeliveryRecord]:
    """Return the deliveries that a filter selects, the newest first."""
    with context.database.read() as session:
        return [DeliveryRecord.of(*line) for line in sending.deliveries(session, wanted)]


def list_destinations(context: FlowContext, wanted: Filter) -> list[DestinationSummary]:
    """Count those deliveries by destination and state, whatever the filter's limit."""
    with context.database.read() as session:
        return sending.destinations(session, wanted)


def retry_deliveries(context: FlowContext, ids: Sequence[int]) -> Retried:
    """Send what is FAILED again, and what is WAITING at once; all of them or none.

    Raises
    ------
    StateError
        If there is no delivery with one of these ids.
    IllegalTransition
        If one of them is in another state.
    """
    with context.write() as transaction:
        rows = _rows(transaction, ids)
        for row in rows:
            _send(context, transaction, row)
    return Retried(len(rows), [row.id for row in rows])


def retry_matching_deliveries(context: FlowContext, wanted: Filter) -> Retried:
    """Send all deliveries again that a filter selects.

    Parameters
    ----------
    wanted
        Its state is one of `RETRYABLE`; FAILED if it has none. Its times are those at which a
        delivery came to this state. Its limit does not count.

    Raises
    ------
    StateError
        If deliveries in this state cannot be tried again.
    """
    return retry_matching(context, wanted, RETRYABLE, retryable.deliveries, _send)


def cancel_deliveries(context: FlowContext, ids: Sequence[int]) -> list[int]:
    """Cancel what is PENDING, WAITING or FAILED, all of them or none; returns the ids.

    Raises
    ------
    StateError
        If there is no delivery with one of these ids.
    IllegalTransition
        If one of them is in another state.
    """
    with context.write() as transaction:
        rows = _rows(transaction, ids)
        for row in rows:
            operator.cancel_delivery(transaction, row)
    return [row.id for row in rows]


def _send(context: FlowContext, transaction: Transaction, row: Delivery) -> None:
    operator.retry_delivery(transaction, row)
    ask_delivery(context, transaction, row.job_id, row.destination)


def _rows(session: Session, ids: Sequence[int]) -> list[Delivery]:
    rows = []
    for number in dict.fromkeys(ids):
        row = session.get(Delivery, number) if number <= _MAX_ID else None
        if row is None:
            raise missing(f"no delivery {number}")
        rows.append(row)
    return rows
