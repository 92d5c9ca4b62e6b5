"""The report that takes the place of a withdrawn one."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import ResultKind
from pacs_ai.results.build import BuiltResult
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.sr.rejection_note import Withdrawn
from pacs_ai.results.sr.withdrawal_report import build_withdrawal_report
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.unit.results.conftest import Images
from tests.unit.results.samples import CONTEXT, study

SR = "1.2.840.10008.5.1.4.1.1.88.34"
OLD = [Withdrawn("1.2.3", f"2.25.{number}", SR, f"2.25.{number}0") for number in (1, 2)]


def made(images: Images, receiver: str = "pacs", old: Sequence[Withdrawn] = OLD) -> Dataset:
    source = Evidence.of(study(images([0.9]))).reference
    said = (RejectionReason.QUALITY, "They do not hold.", receiver, source, CONTEXT)
    return build_withdrawal_report(old, *said)


def test_it_lies_alone_in_its_series_and_names_all_it_replaces(images: Images) -> None:
    report = made(images)
    assert check_dataset(report) == []
    other = made(images, old=OLD[:1])
    series = {one.series_instance_uid for one in OLD}
    assert len(series | {report.SeriesInstanceUID, other.SeriesInstanceUID}) == 4
    [study_item] = report.PredecessorDocumentsSequence
    named = [
        reference.ReferencedSOPInstanceUID
        for series in study_item.ReferencedSeriesSequence
        for reference in series.ReferencedSOPSequence
    ]
    assert named == ["2.25.10", "2.25.20"]
    text = report.ContentSequence[-2].ContentSequence[0].TextValue
    assert text == "The AI results of this study are withdrawn: Rejected for Quality Reasons."


def test_each_receiver_gets_a_report_of_its_own(images: Images) -> None:
    assert made(images).SOPInstanceUID == made(images).SOPInstanceUID
    assert made(images).SOPInstanceUID != made(images, "other").SOPInstanceUID


def test_where_no_report_was_made_it_names_no_predecessor(images: Images) -> None:
    report = made(images, old=[])
    assert check_dataset(report) == []
    assert "PredecessorDocumentsSequence" not in report


def test_dicom3tools_finds_no_error(
    images: Images, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    path = tmp_path / "report.dcm"
    BuiltResult(ResultKind.REPORT, 1, made(images)).write(path)
    done = subprocess.run(
        [str(tool("dciodvfy")), str(path)], capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert "Comprehensive3DSR" in said
    assert not [line for line in said.splitlines() if line.startswith("Error")], said
