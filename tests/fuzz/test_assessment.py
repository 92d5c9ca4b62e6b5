"""Whatever comes as a structured report is read, or refused as no DICOM: nothing else happens."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from pacs_ai.errors import NotDicom
from pacs_ai.feedback_kinds import FeedbackKind
from pacs_ai.results.sr.read_assessment import LONGEST, Assessment, read_assessment
from tests.feedback_reports import Group, Report
from tests.fuzz.effort import FUZZ

pytestmark = pytest.mark.fuzz


@pytest.fixture(scope="module")
def sent() -> bytes:
    study = Dataset()
    study.StudyInstanceUID, study.PatientID = "1.2.3", "p"
    groups = [Group(("CL", "99TEST"), FeedbackKind.REJECT, "absent", ["2.25.1"])]
    report = Report(study, ["2.25.1"], ["2.25.2"], ["2.25.3"], FeedbackKind.MODIFY, groups)
    encoded = BytesIO()
    report.dataset().save_as(encoded, enforce_file_format=True)
    return encoded.getvalue()


def read(path: Path, data: bytes) -> Assessment | None:
    path.write_bytes(data)
    try:
        return read_assessment(path)
    except NotDicom:
        return None


@FUZZ
@given(data=st.data())
def test_damaged_reports_are_read_or_refused(sent: bytes, tmp_path: Path, data: st.DataObject):
    damaged = bytearray(sent)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    read(tmp_path / "a.dcm", bytes(damaged[cut // 2 :] if cut % 2 else damaged))


def test_what_is_undamaged_is_read(sent: bytes, tmp_path: Path):
    found = read(tmp_path / "a.dcm", sent)
    assert found is not None
    assert found.refers_to == (("2.25.1",), ("2.25.2",), ("2.25.3",))
    assert found.observer == "Reader^Ann"


def test_a_report_that_is_too_large_or_too_deep_is_refused(sent: bytes, tmp_path: Path):
    assert read(tmp_path / "a.dcm", sent + b"\0" * LONGEST) is None
    begin = bytes.fromhex("4000 30a7 5351 0000 ffffffff feff 00e0 ffffffff")
    end = bytes.fromhex("feff 0de0 00000000 feff dde0 00000000")
    head = sent[: sent.index(bytes.fromhex("4000 30a7 5351"))]
    for depth in (3, 5000):
        found = read(tmp_path / "b.dcm", head + begin * depth + end * depth)
        assert (found is None) == (depth > 3)
