"""One kind of result cannot be made: what the job, the log and the archive are told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.domain import JobState, ResultKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.phantom import write_phantom_study
from tests.unit.flow.analysed import Patient, demo, on_a_node
from tests.unit.results.failing_kinds import fail_to_make

Send = Callable[..., StoreAnswer]

RULE = Rule(
    name="all",
    model="demo",
    send_to=("archive",),
    results=(ResultKind.REPORT, ResultKind.CAPTURE, ResultKind.REGION),
)
ASKS = RULE.model_copy(update={"when_not_analysable": "report"})


@pytest.fixture
def study(tmp_path: Path) -> list[Dataset]:
    """A lesion in MR images."""
    phantom = write_phantom_study(tmp_path, "MR", 1, lesion=True, slices=12)
    return [pydicom.dcmread(file) for file in phantom.files]


@pytest.fixture
def node(
    context: FlowContext, clock: ManualClock, send: Send, study: list[Dataset]
) -> Callable[[Rule], Patient]:
    def received(rule: Rule) -> Patient:
        assert {send(image).status for image in study} == {0x0000}
        patient = on_a_node(context, clock, rule)
        patient.route()
        return patient

    return received


def test_the_others_are_delivered_and_the_job_says_which_is_missing(
    node: Callable[[Rule], Patient],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_to_make(monkeypatch, ResultKind.REGION)
    patient = node(RULE)
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.SUCCEEDED, "INVALID_RESULT")
    assert job.error_text == "region not made: the region cannot be built (KeyError)"
    assert "lesion" in job.summary
    assert {one.kind for one in patient.results()} == {"report", "capture"}
    assert len(patient.deliveries()) == len(patient.results())
    said = capsys.readouterr().out
    assert "result not made" in said
    assert "kind=region" in said


def test_a_report_that_is_missing_is_told_where_a_rule_asks(
    node: Callable[[Rule], Patient], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_make(monkeypatch, ResultKind.REPORT, ResultKind.REGION)
    patient = node(ASKS)
    job = patient.analyse()
    assert job.state == JobState.SUCCEEDED
    assert {one.kind for one in patient.results()} == {"report", "capture"}
    [row] = [one for one in patient.results() if one.kind == "report"]
    report = pydicom.dcmread(patient.context.spool.path_of(row.path))
    said = report.ContentSequence[-2].ContentSequence[0].TextValue
    assert said.startswith("Not analysable: the images were analysed, but")
    assert "report not made: the report cannot be built (KeyError)" in said
    assert "Doe" not in said + job.error_text


@pytest.mark.parametrize(("rule", "kinds"), [(RULE, []), (ASKS, ["report"])])
def test_where_nothing_can_be_made_the_job_is_rejected(
    rule: Rule,
    kinds: list[str],
    node: Callable[[Rule], Patient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fail_to_make(monkeypatch, *rule.results)
    patient = node(rule)
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.REJECTED, "INVALID_RESULT")
    assert [one.kind for one in patient.results()] == kinds


def test_that_a_model_has_no_heat_maps_is_one_line_and_no_alarm(
    node: Callable[[Rule], Patient],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = (ResultKind.REPORT, ResultKind.REGION, ResultKind.MAP, ResultKind.SEG)
    patient = node(RULE.model_copy(update={"results": kinds}))
    identity = replace(demo().identity, unexplained="no mean of a feature map")
    monkeypatch.setattr(demo(), "identity", identity)
    capsys.readouterr()
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.SUCCEEDED, "INVALID_RESULT")
    assert [one.kind for one in patient.results()] == ["report"]
    lines = capsys.readouterr().out.splitlines()
    [told] = [line for line in lines if "no mean of a feature map" in line]
    assert "results of heat maps left out" in told
    assert not [line for line in lines if "error" in line.split("event")[0].lower()]
