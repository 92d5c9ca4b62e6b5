"""The jobs and deliveries that an operator tries again: all that a filter selects."""

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.schema import Delivery, Event, Job, Study
from pacs_ai.store.selection import Filter, conditions, of_model


def jobs(session: Session, wanted: Filter, states: Collection[str]) -> Sequence[Job]:
    """Return jobs in one of some states, the oldest first.

    Parameters
    ----------
    wanted
        ``since`` and ``before`` are compared with the time at which a job came to its state, for
        example when it failed. ``state`` and ``limit`` are ignored.
    """
    query = (
        sa.select(Job)
        .join(Study, Study.id == Job.study_id)
        .where(Job.state.in_(states), *_of_study(wanted), *_came(wanted, Job))
    )
    if wanted.model:
        query = query.where(of_model(wanted.model))
    if wanted.peer:
        sent = sa.select(Delivery.job_id).where(Delivery.destination == wanted.peer)
        query = query.where(Job.id.in_(sent))
    return session.scalars(query.order_by(Job.created_at)).all()


def deliveries(session: Session, wanted: Filter, states: Collection[str]) -> Sequence[Delivery]:
    """Return deliveries in one of some states, the oldest first; ``wanted`` as in `jobs`."""
    query = (
        sa.select(Delivery)
        .join(Job, Job.id == Delivery.job_id)
        .join(Study, Study.id == Job.study_id)
        .where(Delivery.state.in_(states), *_of_study(wanted), *_came(wanted, Delivery))
    )
    if wanted.model:
        query = query.where(of_model(wanted.model))
    if wanted.peer:
        query = query.where(Delivery.destination == wanted.peer)
    return session.scalars(query.order_by(Delivery.id)).all()


def _of_study(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    timeless = Filter(study=wanted.study, sender=wanted.sender)
    return conditions(timeless, Study.state, Study.last_received_at)


def _came(wanted: Filter, entity: type[Job] | type[Delivery]) -> list[sa.ColumnElement[bool]]:
    """Compare with the time at which a row came to its state, as the audit trail has it."""
    if not wanted.since and not wanted.before:
        return []
    came = (
        sa.select(sa.func.max(Event.at))
        .where(
            Event.entity == entity.__tablename__,
            Event.entity_id == sa.cast(entity.id, sa.String),
            Event.to_state == entity.state,
        )
        .correlate(entity)
        .scalar_subquery()
    )
    found: list[sa.ColumnElement[bool]] = []
    if wanted.since:
        found.append(came >= wanted.since)
    if wanted.before:
        found.append(came < wanted.before)
    return found
