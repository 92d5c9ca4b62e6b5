"""The row of a job names the model that ran, whatever happened to its bundle."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.domain import JobId, JobState, ResultKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.recover import restart
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import overview
from tests.unit.flow.analysed import Patient, demo, on_a_node, other_version


@pytest.fixture
def patient(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Patient:
    assert send(ct).status == 0x0000
    rule = Rule(name="all", model="demo", results=(ResultKind.REPORT,))
    one = on_a_node(context, clock, rule)
    one.route()
    return one


def other_bundle(tmp_path: Path, *, version: str | None) -> Classifier:
    """The shipped model with another version, or only another operating point."""
    return Classifier.load(load_bundle(other_version(tmp_path / "demo", version)))


def run(patient: Patient, classifier: Classifier, *changed: str) -> None:
    analyse(patient.context, {"demo": classifier}, JobId(patient.job().id), changed)


@pytest.mark.parametrize("version", ["999", None])
def test_a_job_that_waited_over_a_change_of_its_bundle_says_what_ran(
    patient: Patient, tmp_path: Path, version: str | None
) -> None:
    other = other_bundle(tmp_path, version=version)
    assert other.identity.manifest_sha256 != patient.job().manifest_sha256
    run(patient, other)
    job = patient.job()
    assert job.state == JobState.SUCCEEDED
    assert job.model_version == other.identity.version
    assert job.manifest_sha256 == other.identity.manifest_sha256
    with patient.context.database.read() as session:
        (note,) = [
            event.note
            for event in overview.events(session, "job", job.id)
            if event.to_state == JobState.RUNNING
        ]
    assert "the bundle was replaced" in note
    assert other.identity.manifest_sha256[:12] in note


def test_a_bundle_that_was_replaced_under_a_running_node_does_not_run(
    patient: Patient, tmp_path: Path
) -> None:
    before = patient.job().manifest_sha256
    run(patient, other_bundle(tmp_path, version="999"), "demo")
    job = patient.job()
    assert (job.state, job.error_code) == (JobState.WAITING, "BUNDLE_CHANGED")
    assert job.manifest_sha256 == before
    assert patient.results() == []
    restart(patient.context, Arrivals())
    run(patient, demo())
    assert patient.job().state == JobState.SUCCEEDED


def test_a_model_that_the_configuration_lost_fails_its_jobs_and_says_so(patient: Patient) -> None:
    analyse(patient.context, {}, JobId(patient.job().id))
    job = patient.job()
    assert (job.state, job.error_code) == (JobState.FAILED, "MODEL")
    assert "'demo'" in job.error_text


def test_the_usual_job_leaves_no_note(patient: Patient) -> None:
    run(patient, demo())
    with patient.context.database.read() as session:
        trail = overview.events(session, "job", patient.job().id)
    assert [event.note for event in trail if event.to_state == JobState.RUNNING] == [""]
    assert patient.job().manifest_sha256 == replace(demo().identity).manifest_sha256
