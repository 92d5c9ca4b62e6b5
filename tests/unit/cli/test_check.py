"""``pacs-ai check``: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from pacs_ai.cli import run
from pacs_ai.cli.check import rules_page
from pacs_ai.domain import ResultKind
from tests.unit.air.result_folder import Spoiled


def write(made: Spoiled, folder: Path) -> Path:
    for kind, dataset in made.by_kind.items():
        dataset.save_as(folder / f"{kind}.dcm")
    return folder


@pytest.fixture
def spoiled() -> Spoiled:
    made = Spoiled()
    made.keep(ResultKind.REPORT, ResultKind.REGION, ResultKind.SEG)
    return made


def test_what_is_right_is_told_and_ends_well(
    spoiled: Spoiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", str(write(spoiled, tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "Measurement report: 2 (region.dcm, report.dcm)\n  right    Name each algorithm" in said
    assert "[AIR 6.5.3.1]" in said
    assert "\n0 wrong, 0 advised, " in said


def test_what_is_wrong_is_told_first_with_its_file(
    spoiled: Spoiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segment = spoiled[ResultKind.SEG].SegmentSequence[0]
    del segment.TrackingID
    spoiled[ResultKind.REPORT].ConceptNameCodeSequence[0].CodeValue = "1"
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7 and nothing else, of some length")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    assert run(["check", str(write(spoiled, tmp_path))]) == 1
    said = capsys.readouterr().out
    assert "Segmentation: 1 (seg.dcm)\n  wrong    Give a segment both Tracking ID and" in said
    assert "seg.dcm: segment 1 has only one of Tracking ID" in said
    assert "Measurement report: 2 (region.dcm, report.dcm)\n  advised  Give a" in said
    assert "wrong    cut.dcm: it states no SOP Class UID" in said
    assert "Not compared: report.pdf: not DICOM" in said
    assert "\n2 wrong, 1 advised, " in said


def test_advice_alone_ends_well(spoiled: Spoiled, tmp_path: Path) -> None:
    spoiled[ResultKind.REPORT].ConceptNameCodeSequence[0].CodeValue = "1"
    assert run(["check", str(write(spoiled, tmp_path))]) == 0


def test_json_has_the_same(
    spoiled: Spoiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del spoiled[ResultKind.SEG].ContributingEquipmentSequence[0].DeviceUID
    assert run(["check", "--json", str(write(spoiled, tmp_path))]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["wrong"] == 1
    assert [one["kind"] for one in said["objects"]] == ["measurement report"] * 2 + ["segmentation"]
    [wrong] = [one for one in said["findings"] if one["outcome"] == "wrong"]
    assert wrong["rule"] == "algorithm-described"
    assert wrong["path"] == "seg.dcm"
    assert wrong["source"] == "AIR 6.5.3.1"
    assert wrong["faults"] == ["algorithm 1 lacks Device UID (0018,1002)"]


def test_a_folder_without_results_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert run(["check", str(tmp_path)]) == 4
    assert "no result of an analysis; notes.txt: not DICOM" in capsys.readouterr().err
    assert run(["check"]) == 2
    assert run(["check", str(tmp_path / "nowhere")]) == 2


def test_rules_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", "--rules"]) == 0
    assert capsys.readouterr().out == rules_page()
