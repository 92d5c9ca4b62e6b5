"""What audit messages say beside the event: study, patient, sender, model, destination."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from pacs_ai.store import ledger_facts
from pacs_ai.store.feedback_table import Feedback
from pacs_ai.store.ledger_facts import Sent
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.pulls import PULL
from pacs_ai.store.schema import Delivery, Event, Job, Result, Study
from pacs_ai.store.session import Session

K = TypeVar("K")

_OF_STUDIES = ("study", "arrival", "prior", "access", "evidence", "document", "refusal", "export")
"""Entities whose id is that of a study."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows that an event is about; None where it is about none, or the row is gone.

    ``study`` is None for a study that an archive was asked for, and that has never come. ``sent``
    says of a study that is complete who had sent what.
    """

    event: Event
    study: Study | None = None
    job: Job | None = None
    delivery: Delivery | None = None
    result: Result | None = None
    pull: Pull | None = None
    sent: Sequence[Sent] = field(default=())


def facts_of(session: Session, events: Sequence[Event]) -> list[Facts]:
    """Read the rows that events are about, a table at a time."""

    def ids(entity: str) -> list[str]:
        return [event.entity_id for event in events if event.entity == entity]

    deliveries = ledger_facts.by_id(session, Delivery, _numbers(ids("delivery")))
    results = ledger_facts.by_id(
        session, Result, {delivery.result_id for delivery in deliveries.values()}
    )
    said = ledger_facts.by_id(session, Feedback, _numbers(ids("feedback")))
    of_jobs = {one.job_id for one in deliveries.values()} | {one.job_id for one in said.values()}
    jobs = ledger_facts.by_id(session, Job, {*ids("job"), *of_jobs})
    wanted = _numbers([one for entity in _OF_STUDIES for one in ids(entity)])
    wanted |= {one.study_id for one in jobs.values()} | {one.study_id for one in said.values()}
    studies = ledger_facts.by_id(session, Study, wanted)
    asked_for = ledger_facts.by_id(session, Pull, _numbers(ids(PULL)))
    fetched = ledger_facts.by_uid(session, {one.study_instance_uid for one in asked_for.values()})
    found = []
    for event in events:
        delivery = _of(event, "delivery", deliveries, int)
        about = _of(event, "feedback", said, int)
        of_job = delivery or about
        job = jobs.get(of_job.job_id) if of_job else _of(event, "job", jobs, str)
        study = studies.get((job or about).study_id) if job or about else None
        for entity in _OF_STUDIES:
            study = study or _of(event, entity, studies, int)
        pull = _of(event, PULL, asked_for, int)
        study = study or (fetched.get(pull.study_instance_uid) if pull else None)
        found.append(
            Facts(
                event,
                study,
                job,
                delivery,
                results.get(delivery.result_id) if delivery else None,
                pull,
                _sent(session, event, study),
            )
        )
    return found


def _numbers(ids: Sequence[str]) -> set[int]:
    return {int(one) for one in ids if one.isdecimal()}


def _of(event: Event, entity: str, rows: Mapping[K, Any], key: Callable[[str], K]) -> Any:  # noqa: ANN401 - rows of any table
    if event.entity != entity or (key is int and not event.entity_id.isdecimal()):
        return None
    return rows.get(key(event.entity_id))


def _sent(session: Session, event: Event, study: Study | None) -> Sequence[Sent]:
    if study is None or event.entity != "study" or event.to_state not in ("RECEIVING", "COMPLETE"):
        return ()
    at: datetime = event.at
    return ledger_facts.sent_until(session, study.id, at)
