"""The version that is active does the jobs, from the next one on."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, ModelEntry, Rule
from pacs_ai.domain import JobId, JobState, ResultKind, StudyState
from pacs_ai.errors import BundleInvalid, ConfigError, StateError
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.classifiers import classifier_of, load_bundles
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import activation, studies
from pacs_ai.model.predict import Classifier
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import jobs, overview
from pacs_ai.store.schema import Job, Study
from tests.unit.flow.analysed import Patient, demo, on_a_node, other_version

NEW = "demo@999"


@pytest.fixture
def patient(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
    tmp_path: Path,
) -> Patient:
    """A node with two versions of a model, and a study that is not routed yet."""
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock, Rule(name="all", model="demo", results=(ResultKind.REPORT,)))
    folder = other_version(tmp_path / "new", "999")
    models = {"demo": ModelEntry(bundle="demo"), NEW: ModelEntry(bundle=str(folder))}
    config = one.context.config.model_copy(update={"models": models})
    one.context = replace(one.context, config=config, user="anna")
    return one


def loaded(patient: Patient) -> dict[str, Classifier]:
    bundles = load_bundles(patient.context.config)
    return {"demo": demo(), NEW: Classifier.load(bundles[NEW])}


def run(patient: Patient, classifiers: dict[str, Classifier] | None = None) -> Job:
    job = patient.jobs()[-1]
    analyse(patient.context, classifiers or loaded(patient), JobId(job.id))
    return patient.jobs()[-1]


def test_without_a_decision_the_section_of_the_model_runs(patient: Patient) -> None:
    patient.route()
    assert run(patient).model_version == demo().identity.version


def test_the_active_version_gets_the_job_and_its_result(patient: Patient) -> None:
    made = activation.activate_model(patient.context, NEW)
    assert (made.version, made.earlier, made.set_by) == ("999", demo().identity.version, "anna")
    patient.route()
    assert patient.job().model_version == "999"
    assert run(patient).state == JobState.SUCCEEDED
    assert patient.job().manifest_sha256 == made.manifest_sha256


def test_a_job_that_waits_takes_what_is_active_when_it_begins(patient: Patient) -> None:
    activation.activate_model(patient.context, NEW)
    patient.route()
    activation.roll_back_model(patient.context, "demo")
    job = run(patient)
    assert (job.state, job.model_version) == (JobState.SUCCEEDED, demo().identity.version)
    with patient.context.database.read() as session:
        notes = [event.note for event in overview.events(session, "job", job.id)]
    assert any("another version is active" in note for note in notes)


def test_a_job_that_runs_ends_with_what_it_began_with(patient: Patient) -> None:
    patient.route()
    classifiers = loaded(patient)
    with patient.context.write() as transaction:
        runs = {name: one.identity for name, one in classifiers.items()}
        assert jobs.claim(transaction, JobId(patient.job().id), 60, runs=runs)
    activation.activate_model(patient.context, NEW)
    assert classifier_of(patient.context, classifiers, patient.job(), ()) is classifiers["demo"]


def test_a_version_that_came_after_the_start_is_loaded(patient: Patient) -> None:
    activation.activate_model(patient.context, NEW)
    patient.route()
    classifiers = {"demo": demo()}
    assert run(patient, classifiers).state == JobState.SUCCEEDED
    assert classifiers[NEW].identity.version == "999"


def test_an_active_version_whose_files_are_gone_makes_jobs_wait(patient: Patient) -> None:
    activation.activate_model(patient.context, NEW)
    patient.route()
    shutil.rmtree(patient.context.config.models[NEW].bundle)
    job = run(patient, {"demo": demo()})
    assert (job.state, job.error_code) == (JobState.WAITING, "BUNDLE_CHANGED")
    with pytest.raises(BundleInvalid):
        activation.activate_model(patient.context, "demo@2")


def test_jobs_of_a_disabled_model_wait_and_go_on(patient: Patient, clock: ManualClock) -> None:
    activation.disable_model(patient.context, "demo")
    patient.route()
    job = run(patient)
    assert (job.state, job.error_code) == (JobState.WAITING, "MODEL_DISABLED")
    assert "by anna" in job.error_text
    clock.advance(1e6)
    patient.wait()
    assert patient.job().state == JobState.WAITING
    assert activation.activate_model(patient.context, "demo").queued == 1
    job = run(patient)
    assert (job.state, job.attempt, job.error_code) == (JobState.SUCCEEDED, 1, "")


def test_another_analysis_by_another_version_names_the_earlier_report(patient: Patient) -> None:
    patient.route()
    run(patient)
    (before,) = patient.results()
    activation.activate_model(patient.context, NEW)
    assert studies.reroute_study(patient.context, "1").revision == 2
    with patient.context.write() as transaction:
        transaction.get_one(Study, 1).state = StudyState.RECEIVING
    patient.route()
    assert [job.model_version for job in patient.jobs()] == [demo().identity.version, "999"]
    run(patient)
    new = patient.results()[-1]
    assert new.sop_instance_uid != before.sop_instance_uid
    content = patient.context.spool.path_of(new.path).read_bytes()
    assert before.sop_instance_uid.encode() in content


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("other", "has no model 'other'"),
        ("demo@3", "has no version '3'"),
        ("demo", "name one: demo@"),
    ],
)
def test_what_cannot_be_active_is_refused(patient: Patient, reference: str, said: str) -> None:
    with pytest.raises(StateError, match=said):
        activation.activate_model(patient.context, reference)


def test_sections_are_named_by_the_version_of_their_bundle(tmp_path: Path) -> None:
    other = str(other_version(tmp_path / "new", "999"))
    same = str(other_version(tmp_path / "same", None))
    version = demo().identity.version
    for section, folder, said in (
        ("demo@998", other, "its bundle is version 999"),
        (f"demo@{version}", same, "is the same version"),
    ):
        models = {"demo": ModelEntry(bundle="demo"), section: ModelEntry(bundle=folder)}
        with pytest.raises(ConfigError, match=said):
            load_bundles(Config(models=models))
