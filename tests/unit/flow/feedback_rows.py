"""Studies with results of several models, amended and withdrawn ones among them, as rows."""

from dataclasses import dataclass, field, replace

from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.domain import JobId, ModelIdentity, StudyId
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import jobs, studies
from pacs_ai.store.identities import Sender
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Transaction
from tests.unit.store import samples

CLASSES = ("Lesion", "Nodule")
MODELS = tuple(
    replace(samples.MODEL, name=name, version=version, manifest_sha256=letter * 64)
    for name, version, letter in (("demo", "1", "1"), ("demo", "2", "2"), ("other", "1", "3"))
)


@dataclass(frozen=True)
class Made:
    """A result that a model made of a study."""

    uid: str
    job: JobId
    study: int
    study_uid: str
    model: ModelIdentity
    decisions: dict[str, str]


@dataclass
class Results:
    """The results that were made, and which of them do not hold any more."""

    all: list[Made] = field(default_factory=list)
    amended: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)

    def state_of(self, uid: str) -> str:
        """What became of a result."""
        if uid in self.withdrawn:
            return "withdrawn"
        return "amended" if uid in self.amended else "current"


def decisions_of(number: int) -> dict[str, str]:
    """Decisions that differ from study to study; in every seventh one is undetermined."""
    first = "present" if number % 2 else "absent"
    second = "undetermined" if number % 7 == 0 else ("present", "absent")[number % 3 > 0]
    return {"Lesion": first, "Nodule": second}


def findings_of(decisions: dict[str, str]) -> list[dict[str, str]]:
    """What the row of a job has of them, with a class that is not decided upon."""
    named = {"No finding": "", **decisions}
    return [
        {"name": name, "code": f"C{name[0]}", "scheme": "99TEST", "decision": decision}
        for name, decision in named.items()
    ]


def analysed(
    transaction: Transaction,
    study: Study,
    model: ModelIdentity,
    uid: str,
    decisions: dict[str, str],
) -> Made:
    """Let a model analyse the revision of a study that is ROUTED."""
    job_id = jobs.create(transaction, study, ["everything"], model.name, model)
    assert job_id is not None
    lease = jobs.claim(transaction, job_id, 60)
    assert lease is not None
    made = samples.made(sop_instance_uid=uid, path=f"node/results/{uid}.dcm")
    jobs.succeed(transaction, lease, [made], "said", findings=findings_of(decisions))
    return Made(uid, job_id, study.id, study.study_instance_uid, model, decisions)


def sender_of(context: FlowContext, number: int) -> Sender:
    """Who sends the study with a number, and whom it names."""
    patient = PatientIdentity(patient_id=f"p{number}")
    return replace(samples.sender(), identity=context.identity(f"1.2.3.{number}", patient))


def routed(transaction: Transaction, number: int, sender: Sender | None = None) -> Study:
    """A study, closed and routed."""
    uid = f"1.2.3.{number}"
    arrived = samples.arrival(
        number, study_instance_uid=uid, sop_instance_uid=f"{uid}.1.1", path=f"node/i/{number}.dcm"
    )
    study = samples.add_instance(transaction, arrived, sender or samples.sender())
    _close(transaction, study)
    return study


def amend(transaction: Transaction, study: Study) -> None:
    """Open the next revision, and route it."""
    studies.reopen(transaction, study, note="more images")
    transaction.refresh(study)
    _close(transaction, study)


def _close(transaction: Transaction, study: Study) -> None:
    key = StudyId(study.id)
    assert studies.close(transaction, key, study.revision, reason="quiet")
    assert studies.routed(transaction, key, study.revision, reason="")
    transaction.refresh(study)


def many_results(context: FlowContext, number: int) -> Results:
    """Results of several models of some studies.

    Every third study is amended, and the patient of every fifth is corrected; both have new results
    as well.
    """
    found = Results()
    with context.write() as transaction:
        for index in range(1, number + 1):
            study = routed(transaction, index, sender_of(context, index))
            models = (MODELS[index % 2], MODELS[2])
            for turn in range(3):
                before = [one.uid for one in found.all if one.study == study.id]
                if turn == 1 and index % 3 == 0:
                    amend(transaction, study)
                    found.amended.update(before)
                elif turn == 2 and index % 5 == 0:
                    study.correction += 1
                    amend(transaction, study)
                    found.withdrawn.update(before)
                elif turn:
                    continue
                for model in models:
                    uid = f"2.25.{index}{turn}{len(found.all)}"
                    decisions = decisions_of(index + turn)
                    found.all.append(analysed(transaction, study, model, uid, decisions))
    return found
