"""The pipeline on files, with the shipped model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from pacs_ai.results.common.context import own_result
from tests.unit.cli.conftest import Answer

PacsAi = Callable[..., Answer]
CT = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"


def sample(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as people have them: images, a report of somebody else's, and what is no DICOM."""
    folder = tmp_path / "source" / "deeper"
    folder.mkdir(parents=True)
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm"):
        shutil.copy(sample(name), folder)
    shutil.copy(sample("CT_small.dcm"), folder / "the-same-again")
    (folder / "notes.txt").write_text("nothing of DICOM")
    return folder.parent


def test_studies_are_analysed_and_written(source: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    answer = pacs_ai("infer", source, "--out", "out", "--json")
    assert answer.code == 0, answer.err
    ct, mr, plan = json.loads(answer.out)
    assert (ct["study_instance_uid"], ct["modality"], ct["images"]) == (CT, "CT", 1)
    assert sum(one["probability"] for one in ct["classes"]) == pytest.approx(1, abs=1e-5)
    assert [one["decision"] for one in ct["classes"] if one["class"] == "lesion"] != [""]
    assert mr["modality"] == "MR"
    assert plan["reason"].startswith("NO_FITTING_SERIES: ")
    assert (plan["images"], plan["results"]) == (0, [])
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert sorted(map(str, files)) == sorted(
        str(tmp_path / name) for one in (ct, mr) for name in one["results"]
    )
    for file in files:
        dataset = pydicom.dcmread(file)
        assert file.parent.name == dataset.StudyInstanceUID
        assert own_result(dataset.Manufacturer, dataset.ManufacturerModelName)
    assert {file.name for file in files} >= {"report-1.dcm", "capture-1.dcm"}


def test_again_gives_the_same_uids_and_leaves_nothing_old(
    source: Path, tmp_path: Path, pacs_ai: PacsAi
) -> None:
    def uids() -> dict[str, str]:
        assert pacs_ai("infer", source, "--out", "out").code == 0
        found = (tmp_path / "out").rglob("*.dcm")
        return {
            path.name + path.parent.name: pydicom.dcmread(path).SOPInstanceUID for path in found
        }

    first = uids()
    (tmp_path / "out" / CT / "capture-9.dcm").write_bytes(b"of an earlier model")
    (tmp_path / "out" / CT / "mine.dcm").write_bytes(b"somebody's own")
    with pytest.raises(pydicom.errors.InvalidDicomError):
        uids()
    assert not (tmp_path / "out" / CT / "capture-9.dcm").exists()
    (tmp_path / "out" / CT / "mine.dcm").unlink()
    assert uids() == first


def test_without_out_nothing_is_written(source: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    before = set(tmp_path.rglob("*"))
    answer = pacs_ai("infer", source)
    assert answer.code == 0
    assert set(tmp_path.rglob("*")) == before
    titles, *lines = answer.out.splitlines()
    assert titles.startswith("study instance uid")
    assert len(lines) == 5, "two classes of two studies, and one that was not analysed"


@pytest.mark.parametrize(("name", "code"), [("rtplan.dcm", "DATA"), ("README.txt", "NOT_DICOM")])
def test_nothing_to_analyse_ends_with_4(
    name: str, code: str, tmp_path: Path, pacs_ai: PacsAi
) -> None:
    (tmp_path / "README.txt").write_text("no DICOM")
    path = tmp_path / name if name == "README.txt" else sample(name)
    answer = pacs_ai("infer", path)
    assert answer.code == 4
    assert answer.err.startswith(f"pacs-ai: {code}: ")


def test_a_study_uid_that_is_a_path_leads_nowhere(tmp_path: Path, pacs_ai: PacsAi) -> None:
    raw = sample("CT_small.dcm").read_bytes()
    evil = b"../../../outside".ljust(len(CT) + 1, b"\0")
    (tmp_path / "evil.dcm").write_bytes(raw.replace(CT.encode() + b"\0", evil))
    assert pacs_ai("infer", tmp_path / "evil.dcm", "--out", tmp_path / "a" / "b" / "c").code == 4
    assert not list(tmp_path.rglob("outside*"))


def test_which_model(source: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    (tmp_path / "pacs-ai.toml").write_text(
        '[models.one]\nbundle = "demo"\n[models.two]\nbundle = "demo"\n'
        '[[rules]]\nname = "r"\nmodel = "one"\n'
    )
    answer = pacs_ai("infer", source)
    assert answer.code == 2
    assert "--model" in answer.err
    assert pacs_ai("infer", source, "--model", "two").code == 0
    assert pacs_ai("infer", source, "--model", "demo").code == 0
    assert pacs_ai("infer", source, "--model", "three").err.startswith("pacs-ai: BUNDLE_INVALID: ")


def test_no_patient_data_is_printed(source: Path, pacs_ai: PacsAi) -> None:
    dataset = pydicom.dcmread(sample("CT_small.dcm"))
    for words in (("infer", source), ("infer", source, "--json"), ("infer", source, "-v")):
        answer = pacs_ai(*words)
        for value in (dataset.PatientID, str(dataset.PatientName)):
            assert value not in answer.out.replace(CT, "") + answer.err.replace(CT, "")


def test_what_is_wanted_is_made(source: Path, tmp_path: Path, pacs_ai: PacsAi) -> None:
    wanted = ("--results", "pdf", "--results", "hl7", "--results", "fhir")
    answer = pacs_ai("infer", source, "--out", "out", "--json", *wanted)
    assert answer.code == 0, answer.err
    [ct, *_] = json.loads(answer.out)
    assert [Path(name).name for name in ct["results"]] == ["pdf-1.dcm", "hl7-1.hl7", "fhir-1.json"]
    pacs_ai("infer", source, "--out", "out", "--results", "report")
    assert [path.name for path in (tmp_path / "out" / CT).iterdir()] == ["report-1.dcm"]


def test_a_report_says_why_a_study_was_not_analysable(
    source: Path, tmp_path: Path, pacs_ai: PacsAi
) -> None:
    answer = pacs_ai("infer", source, "--out", "out", "--refusals", "--json")
    *_, plan = json.loads(answer.out)
    [report] = plan["results"]
    made = pydicom.dcmread(tmp_path / report)
    assert made.StudyInstanceUID == plan["study_instance_uid"]
    findings = made.ContentSequence[-2].ContentSequence[0]
    assert findings.TextValue.startswith("Not analysable: no suitable image for CT/MR/CR/DX")


def test_there_is_no_other_kind(source: Path, pacs_ai: PacsAi) -> None:
    assert pacs_ai("infer", source, "--results", "poem").code == 2
