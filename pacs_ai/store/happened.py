"""What notifications say of a change of state, and which destinations are waited for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pacs_ai.domain import DeliveryState
from pacs_ai.store.event_feed import Change
from pacs_ai.store.schema import Delivery, Job, Study


@dataclass(frozen=True, slots=True)
class Fact:
    """What there is to say of a row: ids, names of the configuration, codes of errors.

    ``rules`` are those that a job is of; None for what is of no rule.
    """

    what: Mapping[str, Any]
    rules: Sequence[str] | None = None
    findings: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Awaited:
    """A destination that deliveries wait for: the oldest of them, how many, and since when."""

    destination: str
    first: int
    count: int
    since: datetime
    error_code: str


def facts(session: Session, changes: Iterable[Change]) -> dict[tuple[str, str], Fact]:
    """Return what there is to say of the rows of some changes; deleted rows are left out."""
    found: dict[tuple[str, str], Fact] = {}
    for change in changes:
        fact = _fact(session, change)
        if fact is not None:
            found[change.entity, change.key] = fact
    return found


def _fact(session: Session, change: Change) -> Fact | None:
    if change.entity == "study":
        study = session.get(Study, int(change.key))
        return None if study is None else Fact({"study": study.id})
    if change.entity == "job":
        job = session.get(Job, change.key)
        return None if job is None else Fact(_of_job(job), job.rules, job.findings)
    delivery = session.get(Delivery, int(change.key))
    if delivery is None:
        return None
    job = session.get_one(Job, delivery.job_id)
    what = {
        **_of_job(job),
        "delivery": delivery.id,
        "destination": delivery.destination,
        "error": delivery.error_code,
    }
    return Fact(what, job.rules)


def _of_job(job: Job) -> dict[str, Any]:
    return {
        "study": job.study_id,
        "job": job.id,
        "model": job.model_name,
        "version": job.model_version,
        "rules": list(job.rules),
        "error": job.error_code,
    }


def waiting_for(session: Session, error_codes: Sequence[str]) -> list[Awaited]:
    """Return the destinations that deliveries wait for because of some errors."""
    query = (
        sa.select(
            Delivery.destination,
            sa.func.min(Delivery.id),
            sa.func.count(),
            sa.func.min(Delivery.created_at),
            sa.func.max(Delivery.error_code),
        )
        .where(Delivery.state == DeliveryState.WAITING, Delivery.error_code.in_(error_codes))
        .group_by(Delivery.destination)
        .order_by(Delivery.destination)
    )
    return [Awaited(*row) for row in session.execute(query)]
