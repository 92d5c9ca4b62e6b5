"""Rows of the database as records for people and programs."""

from datetime import datetime

from pacs_ai.domain import JobState
from pacs_ai.store import overview
from pacs_ai.store.overview import StudyLine
from pacs_ai.store.schema import Delivery, Event, Instance, Job, Result, Study
from pacs_ai.store.sending import DestinationSummary
from pacs_ai.store.spool import Spool

Record = dict[str, object]


def study_record(line: StudyLine) -> Record:
    """Return a study with what became of it."""
    study = line.study
    return {
        "id": study.id,
        "study_instance_uid": study.study_instance_uid,
        "state": study.state,
        "revision": study.revision,
        "modality": study.modality,
        "instances": line.instances,
        "calling_aet": study.calling_aet,
        "called_aet": study.called_aet,
        "first_received_at": study.first_received_at,
        "last_received_at": study.last_received_at,
        "closed_at": study.closed_at,
        "reason": study.reason,
        "outcome": [_outcome(job) for job in overview.current_jobs(line)],
        "delivered": _delivered(line),
        "seconds": overview.seconds_to_result(line),
    }


def instance_record(instance: Instance) -> Record:
    """Return an instance that is not analysed, or cannot be any more, and why."""
    return {
        "sop_instance_uid": instance.sop_instance_uid,
        "series_instance_uid": instance.series_instance_uid,
        "revision": instance.revision,
        "reason": "file is missing" if instance.missing else instance.unusable_reason,
    }


def job_record(job: Job, study: Study | None = None) -> Record:
    """Return a job."""
    return {
        "id": job.id,
        "study": job.study_id,
        "study_instance_uid": study.study_instance_uid if study is not None else None,
        "revision": job.revision,
        "model": f"{job.model_name} {job.model_version}",
        "manifest_sha256": job.manifest_sha256,
        "rules": list(job.rules),
        "state": job.state,
        "attempt": job.attempt,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "due_at": job.due_at,
        "seconds": _seconds(job.started_at, job.finished_at),
        "summary": job.summary,
        "error_code": job.error_code,
        "error_text": job.error_text,
        "outcome": _outcome(job),
    }


def delivery_record(delivery: Delivery, result: Result, study: Study | None = None) -> Record:
    """Return a delivery with the result it carries."""
    return {
        "id": delivery.id,
        "study": study.id if study is not None else None,
        "job": delivery.job_id,
        "destination": delivery.destination,
        "result": f"{result.kind} {result.number}",
        "sop_instance_uid": result.sop_instance_uid,
        "state": delivery.state,
        "attempt": delivery.attempt,
        "status": None if delivery.status_code is None else f"0x{delivery.status_code:04X}",
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "stored_at": delivery.stored_at,
        "committed_at": delivery.committed_at,
        "transaction_uid": delivery.transaction_uid,
        "error_code": delivery.error_code,
        "error_text": delivery.error_text,
        "reason": _error(delivery.error_code, delivery.error_text),
    }


def destination_record(summary: DestinationSummary) -> Record:
    """Return what is on the way to one destination."""
    return {
        "destination": summary.destination,
        "deliveries": dict(summary.states),
        "waiting_since": summary.waiting_since,
    }


def result_record(result: Result, spool: Spool) -> Record:
    """Return a result and where its file lies."""
    return {
        "job": result.job_id,
        "result": f"{result.kind} {result.number}",
        "sop_instance_uid": result.sop_instance_uid,
        "file": str(spool.path_of(result.path)) if result.path else "removed (storage.keep_days)",
    }


def event_record(event: Event) -> Record:
    """Return a line of the audit trail."""
    return {
        "at": event.at,
        "entity": event.entity,
        "entity_id": event.entity_id,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "actor": event.actor,
        "note": event.note,
    }


def _outcome(job: Job) -> str:
    if job.state == JobState.SUCCEEDED:
        return f"{job.model_name}: {'; '.join(filter(None, (job.error_text, job.summary)))}"
    return " ".join(
        part
        for part in (f"{job.model_name}: {job.state}", _error(job.error_code, job.error_text))
        if part
    )


def _error(code: str, text: str) -> str:
    return ": ".join(part for part in (code, text) if part)


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
