"""The note that withdraws results, and the UIDs of those made under a corrected patient."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.modules import BASIC_TEXT_SR, REPORTS
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ResultKind
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.sr.older_report import OLDER
from pacs_ai.results.sr.rejection_note import Withdrawn, build_rejection
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, ct_slice, image, model, save, study

SR, SC, PDF = (
    "1.2.840.10008.5.1.4.1.1.88.34",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.104.1",
)
CODES = ("113001", "113037", "113038", "113039")
OLD = [
    Withdrawn("1.2.3", f"2.25.{number}", sop_class, f"2.25.{number}0")
    for number, sop_class in enumerate((SR, SC, PDF), start=1)
]


def note(
    images: Images, receiver: str = "pacs", reason: RejectionReason = RejectionReason.PATIENT_SAFETY
) -> Dataset:
    source = Evidence.of(study(images([0.9]))).reference
    return build_rejection(OLD, reason, "They do not hold.", receiver, source, CONTEXT)


def test_it_is_a_rejection_of_all_that_is_withdrawn(images: Images) -> None:
    made = note(images)
    assert check_dataset(made) == []
    title = made.ConceptNameCodeSequence[0]
    assert (title.CodeValue, title.CodingSchemeDesignator) == ("113037", "DCM")
    assert title.CodeMeaning == "Rejected for Patient Safety Reasons"
    items = [item for item in made.ContentSequence if item.ValueType in ("IMAGE", "COMPOSITE")]
    assert [item.ValueType for item in items] == ["COMPOSITE", "IMAGE", "COMPOSITE"]
    named = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in items]
    assert named == [one.sop_instance_uid for one in OLD]
    (evidence,) = made.CurrentRequestedProcedureEvidenceSequence
    listed = {
        (series.SeriesInstanceUID, reference.ReferencedSOPInstanceUID)
        for series in evidence.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    }
    assert listed == {(one.series_instance_uid, one.sop_instance_uid) for one in OLD}
    assert made.PatientName == "Doe^Jane"


@pytest.mark.parametrize(("reason", "code"), list(zip(RejectionReason, CODES, strict=True)))
def test_each_reason_has_its_title(images: Images, reason: RejectionReason, code: str) -> None:
    made = note(images, reason=reason)
    assert check_dataset(made) == []
    assert made.ConceptNameCodeSequence[0].CodeValue == code


def test_each_receiver_gets_a_note_of_its_own(images: Images) -> None:
    assert note(images).SOPInstanceUID == note(images).SOPInstanceUID
    assert note(images).SOPInstanceUID != note(images, "other").SOPInstanceUID


def test_dicom3tools_finds_no_error(
    images: Images, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    path = tmp_path / "note.dcm"
    BuiltResult(ResultKind.KEY_OBJECT, 1, note(images)).write(path)
    done = subprocess.run(
        [str(tool("dciodvfy")), str(path)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert "KeyObjectSelectionDocument" in said
    assert not [line for line in said.splitlines() if line.startswith("Error")], said


def uids(images: Images, identity: str) -> list[str]:
    context = replace(CONTEXT, identity=identity)
    made = build_results(
        study(images([0.9])), (ResultKind.REPORT, ResultKind.KEY_OBJECT), context, lambda _: None
    )
    return [one.sop_instance_uid for one in made]


def test_a_corrected_patient_gives_other_uids(images: Images) -> None:
    assert len({*uids(images, ""), *uids(images, "a/1"), *uids(images, "a/2")}) == 6


def test_the_key_of_a_study_that_was_never_corrected_has_no_identity() -> None:
    plain = CONTEXT.series_key(model(), "report", "1.2.3")
    corrected = replace(CONTEXT, identity="a/1").series_key(model(), "report", "1.2.3")
    assert corrected == (*plain, "a/1")


def test_patient_and_study_come_from_the_first_instance_that_names_the_right_one(
    tmp_path: Path,
) -> None:
    wrong = save(ct_slice(1, PatientName="Wrong^Name", PatientAge="001Y"), tmp_path / "1.dcm")
    right = save(ct_slice(2), tmp_path / "2.dcm")
    first, second = image(wrong, (0.1, 0.9)), image(right, (0.2, 0.8))
    foreign = replace(first, header=replace(first.header, patient_path=right))
    assert Evidence.of(study([foreign, second])).reference.PatientName == "Doe^Jane"
    assert Evidence.of(study([foreign])).reference.PatientName == "Doe^Jane"


@pytest.mark.parametrize("sop_class", sorted({*OLDER, BASIC_TEXT_SR}))
def test_a_report_is_a_document_in_whatever_class_a_peer_has_it(
    images: Images, sop_class: str
) -> None:
    source = Evidence.of(study(images([0.9]))).reference
    old = [Withdrawn("1.2.3", "2.25.1", sop_class, "2.25.10")]
    made = build_rejection(old, RejectionReason.QUALITY, "Why.", "pacs", source, CONTEXT)
    types = [item.ValueType for item in made.ContentSequence]
    assert types[-1] == "COMPOSITE"
    assert "IMAGE" not in types
    assert sop_class in REPORTS  # so a report that supersedes it names it, too
