"""The filter that selects rows for a listing or an operator's action."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from pacs_ai.domain import StudyState
from pacs_ai.store.schema import Delivery, Instance, Job, Repeat, Study
from pacs_ai.store.session import Transaction


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to select; a value that is None or empty restricts nothing.

    Parameters
    ----------
    state
        State of the row itself.
    since, before
        Bounds of its time: last activity of a study, creation of a job or delivery.
    study
        Row id of the study.
    sender
        Calling AE title that sent at least one instance of the study.
    peer
        Name of a destination of its results.
    model
        Name of the model in its bundle.
    limit
        Greatest number of rows.
    offset
        How many of the first rows a listing leaves out.
    """

    state: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    study: int | None = None
    sender: str | None = None
    peer: str | None = None
    model: str | None = None
    limit: int = 50
    offset: int = 0


def conditions(
    wanted: Filter, state: InstrumentedAttribute[str], at: InstrumentedAttribute[datetime]
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that all listings share; the query must include the study."""
    found: list[sa.ColumnElement[bool]] = []
    if wanted.state:
        found.append(state == wanted.state)
    if wanted.since:
        found.append(at >= wanted.since)
    if wanted.before:
        found.append(at < wanted.before)
    if wanted.study is not None:
        found.append(Study.id == wanted.study)
    if wanted.sender:
        found.append(_sent_by(wanted.sender))
    return found


def of_studies(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on `Study` that select the studies of a filter."""
    found = conditions(wanted, Study.state, Study.last_received_at)
    if not wanted.state:
        found.append(Study.state != StudyState.DELETED)
    if wanted.peer:
        found.append(_sent_to(wanted.peer))
    if wanted.model:
        made = sa.exists().where(Job.study_id == Study.id, of_model(wanted.model))
        found.append(made.correlate(Study))
    return found


def _sent_to(peer: str) -> sa.ColumnElement[bool]:
    sent = sa.exists().where(
        Job.study_id == Study.id, Delivery.job_id == Job.id, Delivery.destination == peer
    )
    return sent.correlate(Study)


def of_model(name: str) -> sa.ColumnElement[bool]:
    """Return the condition that a job is one of this model."""
    return Job.model_name == name


def _sent_by(calling_aet: str) -> sa.ColumnElement[bool]:
    """Return the condition that a study, or any instance of it, came from a sender.

    It is asked of one study after the other: the first ones of a listing are soon found.
    """
    first = sa.exists().where(Instance.study_id == Study.id, Instance.calling_aet == calling_aet)
    again = sa.exists().where(
        Instance.study_id == Study.id,
        Repeat.instance_id == Instance.id,
        Repeat.calling_aet == calling_aet,
    )
    return sa.or_(Study.calling_aet == calling_aet, first, again)


def begins_with(column: InstrumentedAttribute[str], prefix: str) -> sa.ColumnElement[bool]:
    """Return the condition that an id, a UUID, begins with a text.

    A database finds it by the index of the ids: they are made of digits, hyphens and the letters up
    to f, so those with this beginning lie before the beginning and a g, in every collation.
    """
    begin = prefix.lower()
    return sa.and_(column >= begin, column < f"{begin}g", column.startswith(begin, autoescape=True))


def remove_some(
    transaction: Transaction, key: InstrumentedAttribute[int], which: sa.Select[int], most: int
) -> int:
    """Delete the rows whose keys a query selects, so many at most; returns how many that were."""
    gone = sa.delete(key.class_).where(key.in_(which.limit(most))).returning(key)
    options = gone.execution_options(synchronize_session=False)
    return len(transaction.execute(options).all())
