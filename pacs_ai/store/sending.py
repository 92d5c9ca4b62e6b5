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

_IN_TROUBLE = (DeliveryState.WAITING, DeliveryState.FAILED)

_Select: TypeAlias = "sa.Select[*tuple[Any, ...]]"


def deliveries(session: Session, wanted: Filter) -> Sequence[tuple[Delivery, Result, Study]]:
    """Return deliveries with their results and studies, newest first."""
    query = _deliveries(sa.select(Delivery, Result, Study), wanted)
    query = query.order_by(Delivery.id.desc()).limit(wanted.limit).offset(wanted.offset)
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
    stored_at
        When the destination has last stored something; None for never.
    problem
        Error code of deliveries that wait, else of those that have failed; "" for none.
    """

    destination: str
    deliveries: Mapping[str, int]
    waiting_since: datetime | None
    stored_at: datetime | None = None
    problem: str = ""


def open_destinations(session: Session) -> list[str]:
    """Return the destinations that results are on their way to, or wait for."""
    on_the_way = [state for state in OPEN if state != DeliveryState.FAILED]
    query = sa.select(Delivery.destination).where(Delivery.state.in_(on_the_way)).distinct()
    return sorted(session.scalars(query))


_SUMS = sa.select(
    Delivery.destination,
    Delivery.state,
    sa.func.count(),
    sa.func.min(Delivery.created_at),
    sa.func.max(Delivery.stored_at),
    sa.func.max(Delivery.error_code),
).group_by(Delivery.destination, Delivery.state)


def destinations(session: Session, wanted: Filter) -> list[DestinationSummary]:
    """Count the deliveries that a filter selects, whatever its limit, by destination and state."""
    return _summed(session, _deliveries(_SUMS, wanted))


def destinations_of_studies(session: Session, wanted: Filter) -> list[DestinationSummary]:
    """Count the deliveries of the studies that a filter selects, whatever its limit."""
    query = _SUMS.join(Job, Job.id == Delivery.job_id).join(Study, Study.id == Job.study_id)
    return _summed(session, query.where(*of_studies(wanted)))


def told_before(session: Session, job: Job) -> set[str]:
    """Return the destinations that earlier results of this study and model have gone to."""
    query = (
        sa.select(Delivery.destination)
        .join(Job, Job.id == Delivery.job_id)
        .where(
            Job.study_id == job.study_id,
            Job.model_name == job.model_name,
            Job.id != job.id,
            Delivery.state != DeliveryState.CANCELLED,
        )
        .distinct()
    )
    return set(session.scalars(query))


def _summed(session: Session, query: _Select) -> list[DestinationSummary]:
    found: dict[str, dict[str, Sequence[Any]]] = {}
    for destination, state, *values in session.execute(query):
        found.setdefault(destination, {})[state] = values
    return [_summary(destination, states) for destination, states in sorted(found.items())]


def _summary(destination: str, states: Mapping[str, Sequence[Any]]) -> DestinationSummary:
    """Sum up a destination: by state the number, first creation, last storing and an error code."""
    problems = (states.get(state, ("",))[-1] for state in _IN_TROUBLE)
    return DestinationSummary(
        destination,
        {state: count for state, (count, *_) in sorted(states.items())},
        min((values[1] for state, values in states.items() if state in OPEN), default=None),
        max((values[2] for values in states.values() if values[2] is not None), default=None),
        next(filter(None, problems), ""),
    )
