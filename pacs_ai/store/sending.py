"""Deliveries by destination; these queries change nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState
from pacs_ai.store.schema import Delivery, Job, Result, Study
from pacs_ai.store.selection import Filter, conditions, of_model, of_studies

OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.WAITING, DeliveryState.FAILED)
"""States of a delivery whose destination does not have the result yet."""

_Select: TypeAlias = "sa.Select[*tuple[Any, ...]]"


def deliveries(session: Session, wanted: Filter) -> Sequence[tuple[Delivery, Result, Study]]:
    """Return deliveries with their results and studies, newest first."""
    query = _deliveries(sa.select(Delivery, Result, Study), wanted)
    query = query.order_by(Delivery.id.desc()).limit(wanted.limit)
    return [(delivery, result, row) for delivery, result, row in session.execute(query).all()]


def _deliveries(query: _Select, wanted: Filter) -> _Select:
    query = (
        query.select_from(Delivery)
        .join(Result, Result.id == Delivery.result_id)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(*conditions(wanted, Delivery.state, Delivery.created_at))
    )
    if wanted.peer:
        query = query.where(Delivery.destination == wanted.peer)
    if wanted.model:
        query = query.where(of_model(wanted.model))
    return query


@dataclass(frozen=True, slots=True)
class DestinationSummary:
    """The deliveries to one destination.

    Parameters
    ----------
    deliveries
        Number of deliveries in each state that occurs.
    waiting_since
        When the oldest delivery was created that the destination does not have yet; None if none.
    """

    destination: str
    deliveries: Mapping[str, int]
    waiting_since: datetime | None


_SUMS = sa.select(
    Delivery.destination, Delivery.state, sa.func.count(), sa.func.min(Delivery.created_at)
).group_by(Delivery.destination, Delivery.state)


def destinations(session: Session, wanted: Filter) -> list[DestinationSummary]:
    """Count the deliveries that a filter selects, whatever its limit, by destination and state."""
    return _summed(session, _deliveries(_SUMS, wanted))


def destinations_of_studies(session: Session, wanted: Filter) -> list[DestinationSummary]:
    """Count the deliveries of the studies that a filter selects, whatever its limit."""
    query = _SUMS.join(Job, Job.id == Delivery.job_id).join(Study, Study.id == Job.study_id)
    return _summed(session, query.where(*of_studies(wanted)))


def _summed(session: Session, query: _Select) -> list[DestinationSummary]:
    found: dict[str, dict[str, tuple[int, datetime]]] = {}
    for destination, state, count, oldest in session.execute(query):
        found.setdefault(destination, {})[state] = (count, oldest)
    return [
        DestinationSummary(
            destination,
            {state: count for state, (count, _) in sorted(states.items())},
            min(
                (at for state, (_, at) in found[destination].items() if state in OPEN), default=None
            ),
        )
        for destination, states in sorted(found.items())
    ]
