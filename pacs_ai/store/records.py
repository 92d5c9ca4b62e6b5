"""Rows as records: what commands print as JSON, and what other interfaces return.

A record is a plain dataclass. Its fields are the keys of the JSON object, in the same order;
`to_dict` makes that object. No record holds patient data.
"""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from pacs_ai.domain import JobState
from pacs_ai.priorities import Priority
from pacs_ai.store import overview
from pacs_ai.store.corrections import Choice
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.reasons import error_text, reason_of
from pacs_ai.store.repeats import SenderLine
from pacs_ai.store.schema import Delivery, Event, Instance, Job, Result, Study
from pacs_ai.store.spool import Spool
from pacs_ai.store.timeline import RevisionRecord, StepRecord

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

REMOVED = "removed (retention.images_days)"
"""Stands for the path of a result whose file is gone."""


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study and what became of it."""

    id: int
    study_instance_uid: str
    state: str
    revision: int
    modality: str
    priority: str
    instances: int
    calling_aet: str
    called_aet: str
    first_received_at: datetime
    last_received_at: datetime
    closed_at: datetime | None
    reason: str
    outcome: list[str]
    delivered: str
    seconds: float | None

    @classmethod
    def of(cls, line: StudyLine) -> Self:
        """Make the record of a study."""
        return filled(
            cls,
            line.study,
            priority=Priority(line.study.priority).word,
            instances=line.instances,
            outcome=[_outcome(job) for job in overview.current_jobs(line)],
            delivered=_delivered(line),
            seconds=overview.seconds_to_result(line),
        )


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """An instance that is not analysed, or cannot be any more, and why."""

    sop_instance_uid: str
    series_instance_uid: str
    revision: int
    reason: str

    @classmethod
    def of(cls, instance: Instance) -> Self:
        """Make the record of an instance."""
        reason = "file is missing" if instance.missing else instance.unusable_reason
        return filled(cls, instance, reason=reason)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One model's work on one study revision."""

    id: str
    study: int
    study_instance_uid: str | None
    revision: int
    model: str
    manifest_sha256: str
    rules: list[str]
    priority: str
    state: str
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    seconds: float | None
    summary: str
    error_code: str
    error_text: str
    outcome: str

    @classmethod
    def of(cls, job: Job, study: Study | None = None) -> Self:
        """Make the record of a job."""
        return filled(
            cls,
            job,
            study=job.study_id,
            study_instance_uid=study.study_instance_uid if study is not None else None,
            model=f"{job.model_name} {job.model_version}",
            rules=list(job.rules),
            priority=Priority(job.priority).word,
            seconds=_seconds(job.started_at, job.finished_at),
            outcome=_outcome(job),
        )


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One result on its way to one destination."""

    id: int
    study: int | None
    job: str
    destination: str
    result: str
    sop_instance_uid: str
    state: str
    attempt: int
    status: str | None
    created_at: datetime
    due_at: datetime | None
    stored_at: datetime | None
    committed_at: datetime | None
    transaction_uid: str | None
    error_code: str
    error_text: str
    in_place_of: str
    reason: str

    @classmethod
    def of(cls, delivery: Delivery, result: Result, study: Study | None = None) -> Self:
        """Make the record of a delivery with the result that it carries."""
        code = delivery.status_code
        return filled(
            cls,
            delivery,
            study=study.id if study is not None else None,
            job=delivery.job_id,
            result=f"{result.kind} {result.number}",
            sop_instance_uid=result.sop_instance_uid,
            status=None if code is None else f"0x{code:04X}",
            reason=reason_of(delivery),
        )


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """A result and where its file lies."""

    job: str
    result: str
    sop_instance_uid: str
    file: str

    @classmethod
    def of(cls, result: Result, spool: Spool) -> Self:
        """Make the record of a result."""
        return filled(
            cls,
            result,
            job=result.job_id,
            result=f"{result.kind} {result.number}",
            file=str(spool.path_of(result.path)) if result.path else REMOVED,
        )


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A line of the audit trail."""

    at: datetime
    entity: str
    entity_id: str
    from_state: str
    to_state: str
    actor: str
    note: str

    @classmethod
    def of(cls, event: Event) -> Self:
        """Make the record of an event."""
        return filled(cls, event)


@dataclass(frozen=True, slots=True)
class ChoiceRecord:
    """One patient that a study in CONFLICT may be of, without a value that names anybody."""

    keep: str
    number: int
    in_use: bool
    images: int
    from_: list[str]
    first_received_at: datetime
    differs_in: list[str]

    @classmethod
    def of(cls, choice: Choice) -> Self:
        """Make the record of a choice; ``keep`` is how a person names it."""
        return filled(
            cls,
            choice,
            keep=choice.name or str(choice.number),
            images=choice.files,
            from_=list(choice.senders),
            differs_in=list(choice.differs),
        )


@dataclass(frozen=True, slots=True)
class StudyDetails(StudyRecord):
    """A study with everything that belongs to it; ``node`` is the one that received it first.

    ``revisions`` and ``steps`` are its timeline.
    """

    node: str
    files_removed_at: datetime | None
    revisions: list[RevisionRecord]
    steps: list[StepRecord]
    senders: list[SenderLine]
    patients: list[ChoiceRecord]
    not_analysed: list[InstanceRecord]
    jobs: list[JobRecord]
    results: list[ResultRecord]
    deliveries: list[DeliveryRecord]
    events: list[EventRecord]


@dataclass(frozen=True, slots=True)
class JobDetails(JobRecord):
    """A job with its results, their deliveries and its audit trail."""

    results: list[ResultRecord]
    deliveries: list[DeliveryRecord]
    events: list[EventRecord]


def filled(record: type[R], row: object, **others: object) -> R:
    """Make a record from the attributes of a row that have the names of its fields.

    Parameters
    ----------
    record
        Class of the record.
    row
        A row, or another record.
    others
        The values of all other fields.
    """
    names = [field.name for field in fields(record) if field.name not in others]
    return record(**{name: getattr(row, name) for name in names}, **others)


def to_dict(record: "DataclassInstance") -> dict[str, object]:
    """Return a record, and the records in it, as JSON objects with times as `datetime`."""
    # "from" is a keyword of Python: the field has an underscore behind it
    return asdict(record, dict_factory=lambda pairs: {key.rstrip("_"): one for key, one in pairs})


def _outcome(job: Job) -> str:
    if job.state == JobState.SUCCEEDED:
        return f"{job.model_name}: {'; '.join(filter(None, (job.error_text, job.summary)))}"
    said = (f"{job.model_name}: {job.state}", error_text(job.error_code, job.error_text))
    return " ".join(filter(None, said))


def _delivered(line: StudyLine) -> str:
    sent = overview.current_deliveries(line)
    if not sent:
        return ""
    done = sum(delivery.state in overview.DELIVERED for delivery, _ in sent)
    destinations = dict.fromkeys(delivery.destination for delivery, _ in sent)
    return f"{done}/{len(sent)} {', '.join(destinations)}"


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None:
        return None
    return round((end - start).total_seconds(), 2)
