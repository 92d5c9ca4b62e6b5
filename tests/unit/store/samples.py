"""Rows as the flow would make them."""

from datetime import UTC, datetime, timedelta

from pacs_ai.domain import ClassSpec, Code, JobId, ModelIdentity, StudyId
from pacs_ai.store import admission, deliveries, instances, jobs, results, studies
from pacs_ai.store.identities import Sender, Stated
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Transaction

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MODEL = ModelIdentity(
    name="demo",
    version="1",
    manufacturer="tests",
    sha256="a" * 64,
    activation="softmax",
    aggregation="max",
    preprocess="none",
    input_size=(8, 8),
    classes=(
        ClassSpec("No finding", Code("NOFIND", "99PACSAI", "No finding"), 0.5, positive=False),
        ClassSpec("Lesion", Code("52988006", "SCT", "Lesion"), 0.5, positive=True),
    ),
)


def arrival(number: int = 1, **changes: object) -> instances.Arrival:
    values: dict[str, object] = {
        "study_instance_uid": "1.2.3",
        "series_instance_uid": "1.2.3.1",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "sop_instance_uid": f"1.2.3.1.{number}",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "modality": "CT",
        "path": f"node/instances/aa/{number}.dcm",
        "bytes": 10,
        "digest": "b" * 64,
    }
    return instances.Arrival(**{**values, **changes})  # type: ignore[arg-type]


def sender(patient: str = "p1", called: str = "AI_NODE", calling: str = "MODALITY") -> Sender:
    stated = Stated(patient, {"PatientID": patient})
    return Sender("node", calling, called, patient, "acc", stated)


def add_instance(transaction: Transaction, arrived: instances.Arrival, by: Sender) -> Study:
    """Give an instance its row; returns its study."""
    inserted = admission.admit(transaction, arrived, by)
    return transaction.get_one(Study, inserted.study_id)


def routed_job(transaction: Transaction) -> tuple[Study, JobId]:
    """A study with one instance, closed and routed to one queued job."""
    study = add_instance(transaction, arrival(), sender())
    key = StudyId(study.id)
    assert studies.close(transaction, key, study.revision, reason="quiet")
    assert studies.routed(transaction, key, study.revision, reason="")
    job_id = jobs.create(transaction, study, ["everything"], "demo", MODEL)
    assert job_id is not None
    transaction.refresh(study)
    return study, job_id


def made(number: int = 1, **changes: object) -> results.StoredResult:
    values: dict[str, object] = {
        "kind": "report",
        "number": number,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": "2.25.100",
        "path": f"node/results/aa/{number}.dcm",
        "digest": "d" * 64,
        "send_to": ("pacs",),
        "fresh": True,
    }
    return results.StoredResult(**{**values, **changes})  # type: ignore[arg-type]


def analysed_job(transaction: Transaction) -> JobId:
    """A study whose job has succeeded after 2 s; its result is for the peer ``pacs``."""
    _, job_id = routed_job(transaction)
    begin = transaction.now
    transaction.now = begin + timedelta(seconds=1)
    lease = jobs.claim(transaction, job_id, 60)
    assert lease is not None
    transaction.now = begin + timedelta(seconds=3)
    jobs.succeed(transaction, lease, [made()], "Lesion 0.930, No finding 0.070")
    transaction.now = begin
    return job_id


def failed_delivery(transaction: Transaction, job_id: JobId) -> int:
    """Let the peer refuse that result."""
    (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
    assert deliveries.fail(transaction, claimed, code="X", text="why", status=0xC123)
    return claimed.delivery_id


def rejected_job(transaction: Transaction) -> JobId:
    """A job that found no suitable image."""
    _, job_id = routed_job(transaction)
    lease = jobs.claim(transaction, job_id, 60)
    assert lease is not None
    jobs.reject(transaction, lease, "NO_FITTING_SERIES", "no suitable image for CT")
    return job_id
