"""Rows as the flow would make them."""

from datetime import UTC, datetime

from pacs_ai.domain import ClassSpec, Code, JobId, ModelIdentity, StudyId
from pacs_ai.store import admission, instances, jobs, results, studies
from pacs_ai.store.identities import Sender, Stated
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Session

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
        "sha256": "b" * 64,
    }
    return instances.Arrival(**{**values, **changes})  # type: ignore[arg-type]


def sender(patient: str = "p1", called: str = "AI_NODE", calling: str = "MODALITY") -> Sender:
    stated = Stated(patient, {"PatientID": patient})
    return Sender("node", calling, called, patient, "acc", stated)


def routed_job(session: Session) -> tuple[Study, JobId]:
    """A study with one instance, closed and routed to one queued job."""
    study = admission.add_instance(session, arrival(), sender(), NOW)
    key = StudyId(study.id)
    assert studies.close(session, key, study.revision, now=NOW, actor="test", reason="quiet")
    assert studies.routed(session, key, study.revision, now=NOW, actor="test", reason="")
    job_id = jobs.create(session, study, ["everything"], "demo", MODEL, NOW)
    assert job_id is not None
    session.refresh(study)
    return study, job_id


def made(number: int = 1, **changes: object) -> results.StoredResult:
    values: dict[str, object] = {
        "kind": "report",
        "number": number,
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.88.34",
        "sop_instance_uid": f"2.25.{number}",
        "series_instance_uid": "2.25.100",
        "path": f"node/results/aa/{number}.dcm",
        "sha256": "d" * 64,
        "send_to": ("pacs",),
        "fresh": True,
    }
    return results.StoredResult(**{**values, **changes})  # type: ignore[arg-type]
