"""What withdraws results, before the validators of the field and the reference checker."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.modules import COMPREHENSIVE_3D_SR
from pacs_ai.domain import ResultKind
from pacs_ai.results.build import BuiltResult, build_results
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.sr.older_report import as_comprehensive_sr
from pacs_ai.results.sr.rejection_note import Withdrawn, build_rejection
from pacs_ai.results.sr.withdrawal_report import build_withdrawal_report
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.integration.test_results_validators import (
    CASES,
    Case,
    check,
    copies,
    failures,
    grey,
    output,
    pictures,
    write,
)
from tests.pixelmed import VALIDATOR
from tests.unit.results.samples import CONTEXT, model, study

__all__ = ["check"]

WHY = "These AI results were withdrawn for reasons of quality. Report 2.25.1 takes their place."
KINDS = (ResultKind.REPORT, ResultKind.CAPTURE, ResultKind.PDF, ResultKind.KEY_OBJECT)
SOURCES = ("ct", "dx, arabic")

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def withdrawn_of(case: Case, shared: Path, folder: Path) -> tuple[list[Withdrawn], Dataset, Path]:
    """Results of a source, what names them, a header, and a folder of images and results."""
    paths = copies(case, shared, folder / "images")
    prediction = study(list(pictures(case, paths)), model(case.classes))
    made = write(build_results(prediction, KINDS, CONTEXT, grey), folder / "made")
    together = folder / "together"
    shutil.copytree(folder / "images", together)
    named = []
    for path in sorted(made.iterdir()):
        shutil.copy(path, together)
        one = pydicom.dcmread(path)
        uids = (one.StudyInstanceUID, one.SeriesInstanceUID, one.SOPClassUID, one.SOPInstanceUID)
        named.append(Withdrawn(*map(str, uids)))
    return named, Evidence.of(prediction).reference, together


@pytest.mark.parametrize("name", SOURCES)
def test_no_validator_finds_anything_in_a_note(
    name: str, shared: Path, check: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    named, header, together = withdrawn_of(CASES[name], shared, tmp_path)
    note = build_rejection(named, RejectionReason.QUALITY, WHY, "archive", header, CONTEXT)
    made = write([BuiltResult(ResultKind.KEY_OBJECT, 1, note)], tmp_path / "note")
    done = check(made, together, "--need", "ko")
    assert failures(done) == []
    assert done.returncode == 0


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("older_class", [False, True])
def test_no_validator_finds_anything_in_a_report_that_takes_the_place(
    name: str,
    older_class: bool,
    shared: Path,
    tool: Callable[[str], Path],
    pixelmed: Path,
    tmp_path: Path,
) -> None:
    """The reference checker wants findings in a report; so the validators themselves look."""
    named, header, together = withdrawn_of(CASES[name], shared, tmp_path)
    reports = [one for one in named if one.sop_class_uid == COMPREHENSIVE_3D_SR]
    said = (RejectionReason.QUALITY, WHY, "archive", header, CONTEXT)
    made = BuiltResult(ResultKind.REPORT, 1, build_withdrawal_report(reports, *said))
    path = tmp_path / "report.dcm"
    made.write(path)
    if older_class:  # it takes the place of a report that was of the older class, too
        path.write_bytes(as_comprehensive_sr(path).content)
        (report,) = together.glob("report-*")
        (together / "older.dcm").write_bytes(as_comprehensive_sr(report).content)
    found = output(tool("dciodvfy"), path)
    assert ("ComprehensiveSR" if older_class else "Comprehensive3DSR") in found.splitlines()
    assert "Error" not in found
    found = output(tool("dcentvfy"), *sorted(together.iterdir()), path)
    assert [line for line in found.splitlines() if line.startswith("Error")] == []
    assert "The AI results of this study are withdrawn" in output(tool("dsrdump"), "+Pl", path)
    found = output(pixelmed, VALIDATOR, path)
    assert "Found Root Template TID_2000" in found
    assert "IOD validation complete" in found
    assert "Error" not in found
