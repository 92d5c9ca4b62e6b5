"""DCMTK's storage SCP takes a few SOP classes and transfer syntaxes: each result goes in another.

Its association configuration file (asconfig) names what it takes.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config, DimsePeer, Rule
from pacs_ai.dicom.modules import (
    BASIC_TEXT_SR,
    COMPREHENSIVE_3D_SR,
    COMPREHENSIVE_SR,
    ENCAPSULATED_PDF,
    ENHANCED_SR,
    LABEL_MAP_SEGMENTATION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)
from pacs_ai.domain import JobState, ResultKind
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.evidence.check import check_evidence
from pacs_ai.flow.evidence.collect import known_bundles
from pacs_ai.flow.operate.evidence import save_evidence
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.phantom import write_phantom_study
from pacs_ai.store.records import DeliveryRecord
from tests.bench.programs import wait_for
from tests.conftest import require
from tests.ports import free_port
from tests.unit.flow.analysed import Patient

pytestmark = pytest.mark.integration

VERIFICATION = "1.2.840.10008.1.1"
KINDS = (ResultKind.REPORT, ResultKind.MAP, ResultKind.PDF)


def configuration(classes: Sequence[str], syntax: str) -> str:
    contexts = [
        f"PresentationContext{number} = {uid}\\Only"
        for number, uid in enumerate((VERIFICATION, *classes), start=1)
    ]
    return "\n".join(
        [
            "[[TransferSyntaxes]]",
            "[Only]",
            f"TransferSyntax1 = {syntax}",
            "[[PresentationContexts]]",
            "[Few]",
            *contexts,
            "[[Profiles]]",
            "[Archive]",
            "PresentationContexts = Few",
            "",
        ]
    )


@contextmanager
def archive(folder: Path, classes: Sequence[str], syntax: str) -> Iterator[int]:
    """Run an archive that takes these classes in this transfer syntax; gives its port."""
    folder.mkdir()
    config, port = folder.parent / "few.cfg", free_port()
    config.write_text(configuration(classes, syntax))
    command = [require("storescp"), "-xf", config, "Archive", "-od", folder, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()


def delivered(
    context: FlowContext, clock: ManualClock, port: int, kinds: Sequence[ResultKind]
) -> tuple[Patient, list[DeliveryRecord]]:
    """Analyse a study, and send until all is settled."""
    rule = Rule(name="all", model="demo", send_to=("archive",), results=tuple(kinds))
    peer = DimsePeer(ae_title="ARCHIVE", host="127.0.0.1", port=port)
    config = Config(storage=context.config.storage, peers={"archive": peer}, rules=(rule,))
    patient = Patient(replace(context, config=config), clock)
    patient.route()
    assert patient.analyse().state == JobState.SUCCEEDED
    for _ in range(5):
        deliver(patient.context, pair_key(patient.job().id, "archive"))
    by_id = {one.id: one for one in patient.results()}
    records = [DeliveryRecord.of(one, by_id[one.result_id]) for one in patient.deliveries()]
    return patient, records


@pytest.mark.parametrize(
    ("classes", "syntax", "expected"),
    [
        (
            (COMPREHENSIVE_3D_SR, PARAMETRIC_MAP, ENCAPSULATED_PDF),
            ExplicitVRLittleEndian,
            {("report 1", "STORED"), ("map 1", "STORED"), ("pdf 1", "STORED")},
        ),
        (
            (BASIC_TEXT_SR, SECONDARY_CAPTURE),
            ExplicitVRLittleEndian,
            {("report text 1", "STORED"), ("capture 1", "STORED"), ("pdf 1", "CANCELLED")},
        ),
        (
            (ENHANCED_SR, SECONDARY_CAPTURE),
            ImplicitVRLittleEndian,
            {("report 2D enhanced 1", "STORED"), ("capture 1", "STORED"), ("pdf 1", "CANCELLED")},
        ),
        (
            (COMPREHENSIVE_SR, PARAMETRIC_MAP),
            ExplicitVRLittleEndian,
            {("report 2D 1", "STORED"), ("map 1", "STORED"), ("pdf 1", "CANCELLED")},
        ),
    ],
)
def test_each_result_goes_in_a_class_that_is_taken(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., object],
    ct: Dataset,
    tmp_path: Path,
    *,
    classes: Sequence[str],
    syntax: UID,
    expected: set[tuple[str, str]],
) -> None:
    send(ct)
    with archive(tmp_path / "archive", classes, syntax) as port:
        patient, records = delivered(context, clock, port, KINDS)
    assert {(one.result, one.state) for one in records} == expected
    files = [pydicom.dcmread(path) for path in (tmp_path / "archive").iterdir()]
    for one in files:
        if one.Modality == "SR":  # dsrdump knows what each class of reports may hold
            dumped = subprocess.run(
                [require("dsrdump"), one.filename], capture_output=True, check=False
            )
            assert (dumped.returncode, b"E: " in dumped.stderr) == (0, False), dumped.stderr
    assert {one.SOPClassUID for one in files} <= set(classes)
    assert {one.file_meta.TransferSyntaxUID for one in files} == {syntax}
    assert len(files) == sum(one.state == "STORED" for one in records)
    check_it_is_said(patient, records)
    evidence = save_evidence(patient.context, "1", tmp_path / "evidence.zip", images=True)
    config, bundles = patient.context.config, known_bundles(patient.context.config)
    wrong = [one for one in check_evidence(evidence, config, bundles, None) if not one.ok]
    assert wrong == []  # what was sent is made again, byte for byte


def check_it_is_said(patient: Patient, records: Sequence[DeliveryRecord]) -> None:
    """Each result that is not the one that was made says why, in the list and in the timeline."""
    steps = trace_study(patient.context, "1").steps
    reasons = [one.reason for one in steps if one.peer == "archive"]
    for one in records:
        kind = one.result.rpartition(" ")[0]
        if one.state == "CANCELLED":
            said = "the peer refuses this class; it gets the report of the job"
            assert one.reason == said
            assert said in reasons
        elif kind not in KINDS:
            first = "map" if kind == "capture" else "report"
            assert one.reason == f"in place of the {first}, whose class the peer refuses"
            assert f"the peer refuses this class; {kind} in its place" in reasons
        else:
            assert (one.reason, one.in_place_of) == ("", "")


@pytest.mark.parametrize(
    ("classes", "taken"),
    [
        ((COMPREHENSIVE_3D_SR, LABEL_MAP_SEGMENTATION, SEGMENTATION), "label_map 1"),
        ((COMPREHENSIVE_3D_SR, SEGMENTATION), "seg 1"),
        ((COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE), "capture 1"),
    ],
)
def test_a_label_map_goes_where_it_is_taken(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., object],
    tmp_path: Path,
    classes: Sequence[str],
    taken: str,
) -> None:
    [phantom] = write_phantom_study(tmp_path / "phantom", "CT", 11, lesion=True, slices=1).files
    send(pydicom.dcmread(phantom))
    kinds = (ResultKind.REPORT, ResultKind.LABEL_MAP)
    with archive(tmp_path / "archive", classes, ExplicitVRLittleEndian) as port:
        patient, records = delivered(context, clock, port, kinds)
    assert {(one.result, one.state) for one in records} == {
        ("report 1", "STORED"),
        (taken, "STORED"),
    }
    evidence = save_evidence(patient.context, "1", tmp_path / "evidence.zip", images=True)
    config, bundles = patient.context.config, known_bundles(patient.context.config)
    assert [one for one in check_evidence(evidence, config, bundles, None) if not one.ok] == []
