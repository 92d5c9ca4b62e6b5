"""Deliveries begin: a result is to go to a destination."""

from collections.abc import Sequence

import sqlalchemy as sa

from pacs_ai.domain import DeliveryState, JobId
from pacs_ai.store.schema import Delivery, Result
from pacs_ai.store.session import Transaction
from pacs_ai.store.transition import record_new


def not_begun(
    transaction: Transaction, wanted: Sequence[tuple[Result, str]]
) -> list[tuple[Result, str]]:
    """Return those of some pairs of result and destination that have no delivery."""
    ids = [result.id for result, _ in wanted]
    query = sa.select(Delivery.result_id, Delivery.destination).where(Delivery.result_id.in_(ids))
    known = {(result, destination) for result, destination in transaction.execute(query)}
    return [pair for pair in wanted if (pair[0].id, pair[1]) not in known]


def is_replaced(transaction: Transaction, job_id: JobId, destination: str, kind: str) -> bool:
    """Tell whether another result goes to a destination in place of one of this kind."""
    query = sa.select(Delivery.id).where(
        Delivery.job_id == job_id,
        Delivery.destination == destination,
        Delivery.in_place_of == kind,
    )
    return transaction.scalar(query.limit(1)) is not None


def begin(
    transaction: Transaction,
    job_id: JobId,
    wanted: Sequence[tuple[Result, str]],
    in_place_of: str = "",
) -> list[str]:
    """Make the deliveries of a job that are not there; return their destinations, each once.

    Parameters
    ----------
    in_place_of
        Kind of the result that the destination refuses, if they go for that reason.
    """
    begun = [
        Delivery(
            result_id=result.id,
            job_id=job_id,
            destination=destination,
            state=DeliveryState.PENDING,
            created_at=transaction.now,
            in_place_of=in_place_of,
        )
        for result, destination in not_begun(transaction, wanted)
    ]
    transaction.add_all(begun)
    transaction.flush()
    record_new(transaction, "delivery", [one.id for one in begun], DeliveryState.PENDING)
    return list(dict.fromkeys(one.destination for one in begun))
