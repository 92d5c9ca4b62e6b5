"""A study that is analysed again: the same objects, or new ones that name the earlier report."""

from collections.abc import Callable
from dataclasses import replace

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.runtime import Runtime
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.results.common import context as context_module
from pacs_ai.store import studies
from pacs_ai.store.schema import Result, Study
from tests.unit.flow.analysed import Patient, demo, on_a_node


@pytest.fixture
def patient(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Patient:
    """One study with its results."""
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock)
    one.route()
    one.analyse()
    return one


def analysed_again(patient: Patient, classifier: Classifier | None = None) -> list[Result]:
    """Results that the study did not have before."""
    before = {one.id for one in patient.results()}
    with patient.context.write() as transaction:
        studies.reopen(transaction, transaction.get_one(Study, 1), note="reroute")
    patient.route()
    analyse(patient.context, {"demo": classifier or demo()}, patient.jobs()[-1].id)
    return [one for one in patient.results() if one.id not in before]


def contents(patient: Patient) -> list[bytes]:
    return [patient.context.spool.path_of(one.path).read_bytes() for one in patient.results()]


def report_of(patient: Patient, results: list[Result]) -> pydicom.Dataset:
    [path] = [patient.context.spool.path_of(one.path) for one in results if one.kind == "report"]
    return pydicom.dcmread(path)


def of_another_release(monkeypatch: pytest.MonkeyPatch) -> Classifier:
    """The same network, computed by another release of the runtime."""
    runtime = Runtime(load_bundle("demo"))
    newer = replace(runtime.computed_by, version="999.1")
    monkeypatch.setattr(Runtime, "computed_by", property(lambda _: newer))
    return Classifier(load_bundle("demo"), runtime)


def test_a_repetition_gives_the_same_objects(patient: Patient) -> None:
    before = contents(patient)
    assert analysed_again(patient, Classifier.load(load_bundle("demo"), threads=2)) == []
    assert contents(patient) == before


def test_after_an_upgrade_of_the_runtime_the_objects_are_new(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, before = patient.results(), contents(patient)
    made = analysed_again(patient, of_another_release(monkeypatch))
    assert {one.kind for one in made} == {one.kind for one in first}
    assert contents(patient)[: len(before)] == before
    earlier, later = report_of(patient, first), report_of(patient, made)
    [study] = later.PredecessorDocumentsSequence
    [series] = study.ReferencedSeriesSequence
    [named] = series.ReferencedSOPSequence
    assert named.ReferencedSOPInstanceUID == earlier.SOPInstanceUID
    [[before_it], [after_it]] = (one.ContributingEquipmentSequence for one in (earlier, later))
    assert before_it.DeviceUID == after_it.DeviceUID, "the model is the same"
    assert "Computed by ONNX Runtime " in before_it.ContributionDescription
    assert after_it.ContributionDescription.endswith("Computed by ONNX Runtime 999.1, CPU, fp32.")


@pytest.mark.parametrize("what", ["another decoder", "other instructions"])
def test_on_another_machine_the_objects_are_new(
    patient: Patient, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {one.sop_instance_uid for one in patient.results()}
    monkeypatch.setattr(context_module, "environment", lambda: what)
    made = {one.sop_instance_uid for one in analysed_again(patient)}
    assert len(made) == len(first)
    assert not made & first
