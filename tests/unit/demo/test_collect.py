"""What the demonstration makes of an archive's folder."""

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.demo.collect import Output, collect_study
from pacs_ai.demo.studies import DemoStudy, given_studies, shipped_studies


@pytest.fixture
def study() -> DemoStudy:
    path = get_testdata_file("CT_small.dcm", download=False)
    assert isinstance(path, str)
    (one,) = given_studies([Path(path)])
    return one


def test_own_material_is_two_real_studies_and_a_phantom_of_known_truth(tmp_path: Path) -> None:
    phantom, ct, mr = shipped_studies(tmp_path)
    assert (ct.modality, mr.modality) == ("CT", "MR")
    assert not ct.lesions
    assert not mr.lesions
    ((_, box),) = phantom.lesions.items()
    assert box[0] < box[2]
    assert box[1] < box[3]
    again = shipped_studies(tmp_path / "again")[0]
    assert again.study_instance_uid == phantom.study_instance_uid
    assert again.files[0].read_bytes() == phantom.files[0].read_bytes()


def test_an_empty_archive_is_no_success(tmp_path: Path, study: DemoStudy) -> None:
    result = collect_study(tmp_path / "archive", Output(tmp_path / "out"), study, None)
    assert not result.complete
    assert result.finding is None
    assert result.hit is None


def test_what_is_not_ours_is_not_counted(tmp_path: Path, study: DemoStudy) -> None:
    folder = tmp_path / "archive" / study.study_instance_uid
    folder.mkdir(parents=True)
    (folder / "1.dcm").write_bytes(study.files[0].read_bytes())
    assert not collect_study(tmp_path / "archive", Output(tmp_path / "out"), study, None).complete


def test_only_what_the_demo_made_is_replaced(tmp_path: Path) -> None:
    first = Output(tmp_path / "out")
    first.write("ct/report-1.txt", b"1")
    first.write("old/report-1.txt", b"1")
    (tmp_path / "out" / "ct" / "mine.txt").write_text("mine")
    (tmp_path / "mine.txt").write_text("mine")
    with (tmp_path / "out" / ".made-by-pacs-ai-demo").open("a") as record:
        record.write("../mine.txt\n")
    second = Output(tmp_path / "out")
    second.write("ct/report-1.txt", b"2")
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.txt")}
    assert left == {"mine.txt", "out/ct/mine.txt", "out/ct/report-1.txt"}
    assert not (tmp_path / "out" / "old").exists()
