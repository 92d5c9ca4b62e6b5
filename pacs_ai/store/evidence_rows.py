"""All rows of a study, as values for JSON: what an evidence archive states."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.store.feedback_table import Feedback
from pacs_ai.store.schema import Delivery, Event, Instance, Job, LedgerLine, Repeat, Result, Study

Rows = list[dict[str, Any]]


def rows_of(session: Session, study: Study) -> dict[str, Rows]:
    """Return the rows of a study, of its jobs and of their results, by table.

    ``ledger`` has the lines about the study; ``before`` is the hash that each is chained to.
    """
    jobs = session.scalars(
        sa.select(Job).where(Job.study_id == study.id).order_by(Job.revision, Job.created_at)
    ).all()
    ids = [job.id for job in jobs]
    deliveries = _plain(
        session.scalars(
            sa.select(Delivery).where(Delivery.job_id.in_(ids)).order_by(Delivery.id)
        )
    )  # fmt: skip
    instances = session.scalars(
        sa.select(Instance).where(Instance.study_id == study.id).order_by(Instance.id)
    ).all()
    numbers = [instance.id for instance in instances]
    said = _plain(
        session.scalars(
            sa.select(Feedback).where(Feedback.study_id == study.id).order_by(Feedback.id)
        )
    )
    found = {
        "study": _plain([study]),
        "instances": _plain(instances),
        "repeats": _plain(
            session.scalars(sa.select(Repeat).where(Repeat.instance_id.in_(numbers)))
        ),
        "jobs": _plain(jobs),
        "results": _plain(
            session.scalars(sa.select(Result).where(Result.job_id.in_(ids)).order_by(Result.id))
        ),
        "deliveries": deliveries,
        "feedback": said,
        "ledger": _lines(session, study.id),
    }
    keys = [(name, str(study.id)) for name in ("study", "arrival", "prior", "document")]
    keys += [("job", one) for one in ids]
    keys += [("delivery", str(row["id"])) for row in deliveries]
    keys += [("feedback", str(row["id"])) for row in said]
    of_these = [
        sa.and_(Event.entity == entity, Event.entity_id == key) for entity, key in keys
    ]  # fmt: skip
    found["events"] = _plain(
        session.scalars(sa.select(Event).where(sa.or_(*of_these)).order_by(Event.id))
    )
    return found


def _lines(session: Session, study_id: int) -> Rows:
    earlier = sa.orm.aliased(LedgerLine)
    query = (
        sa.select(LedgerLine, earlier.hash)
        .outerjoin(earlier, earlier.number == LedgerLine.number - 1)
        .where(LedgerLine.study_id == study_id)
        .order_by(LedgerLine.number)
    )
    return [
        {**_values(line), "before": before or ""} for line, before in session.execute(query)
    ]  # fmt: skip


def _plain(rows: Iterable[Any]) -> Rows:
    return [_values(row) for row in rows]


def _values(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of any table
    values = {column.key: getattr(row, column.key) for column in sa.inspect(row).mapper.columns}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }
