"""What is faulty in a source is left out of every kind of result, and named in it: `infer`, whole.

One study a fault, all kinds of results of each, judged by our own check and by dciodvfy, the HL7
and FHIR libraries of the field.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pydicom.dataset import Dataset

from pacs_ai.cli import run
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import DOCUMENTS, ResultKind
from tests.integration.faulty_sources import NAMES, changes, write_faulty

FAULTS = [name for name, _ in changes()]
OBJECTS = [kind for kind in ResultKind if kind not in DOCUMENTS]
SILENT = {  # what is right in the end, or that nobody would miss
    *(
        f"name, {name}"
        for name, (_, raw, text) in NAMES.items()
        if text and b"\xd1" not in raw[-1:]
    ),
    *("values, dates of before", "values, a sex in words"),
}
_CONTROL = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd]")

pytestmark = [pytest.mark.integration, pytest.mark.thorough]


@dataclass(frozen=True)
class Made:
    """Folders of the results by fault."""

    folders: dict[str, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("faulty")
    studies = write_faulty(folder / "source")
    wanted = [word for kind in ResultKind for word in ("--results", str(kind))]
    words = ["infer", str(folder / "source"), "--model", "demo", "--out", str(folder / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        assert run([*words, *wanted]) == 0
    return Made({name: folder / "out" / uid for name, uid in studies.items()})


def objects(folder: Path) -> Iterator[tuple[Path, Dataset]]:
    for path in sorted(folder.glob("*.dcm")):
        yield path, pydicom.dcmread(path)


def texts_of(ds: Dataset) -> Iterator[str]:
    for element in ds.iterall():
        if element.VR != "SQ" and not isinstance(element.value, bytes):
            yield str(element.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_kind_is_made_and_valid(fault: str, made: Made) -> None:
    folder = made.folders[fault]
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == set(ResultKind)
    for path, ds in objects(folder):
        with quiet():
            assert check_dataset(ds) == [], path.name
            assert not [text for text in texts_of(ds) if _CONTROL.search(text)], path.name
    message = (folder / "hl7-1.hl7").read_bytes().decode("utf-8")
    assert not _CONTROL.search(message)
    assert parse_message(message, validation_level=VALIDATION_LEVEL.STRICT).validate()
    bundle = (folder / "fhir-1.json").read_text(encoding="utf-8")
    Bundle.model_validate_json(bundle)
    assert not _CONTROL.search("".join(json.dumps(json.loads(bundle), ensure_ascii=False)))


@pytest.mark.parametrize("name", NAMES)
def test_the_patient_has_the_name_that_was_meant_or_none(name: str, made: Made) -> None:
    expected = NAMES[name][2]
    folder = made.folders[f"name, {name}"]
    for path, ds in objects(folder):
        assert str(ds.PatientName) == expected, path.name
    pid = (folder / "hl7-1.hl7").read_bytes().decode("utf-8").split("\r")[1].split("|")
    long = NAMES[name][1].decode("ascii") if name.startswith("too ") else ""  # HL7 has no limit
    family = (long or expected).split("=")[0].partition("^")[0]
    assert pid[5].split("^")[0] == family


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - SILENT))
def test_what_is_left_out_is_said(fault: str, made: Made) -> None:
    folder = made.folders[fault]
    if fault == "values, an odd place":  # which is no matter of patient and study
        return
    said = "eft out of the header"
    assert said in " ".join(texts_of(pydicom.dcmread(folder / "report-1.dcm")))
    assert said in (folder / "hl7-1.hl7").read_bytes().decode("utf-8")
    assert said in (folder / "fhir-1.json").read_text(encoding="utf-8")


def test_impossible_dates_are_nowhere(made: Made) -> None:
    for fault in ("dates of zeros", "a thirtieth of February", "words for dates", "ranges"):
        folder = made.folders[f"values, {fault}"]
        bundle = json.loads((folder / "fhir-1.json").read_text(encoding="utf-8"))
        assert not [one for one in bundle["entry"] if "effectiveDateTime" in one["resource"]]
        lines = (folder / "hl7-1.hl7").read_bytes().decode("utf-8").split("\r")
        obr = next(line.split("|") for line in lines if line.startswith("OBR"))
        assert obr[7] == ""
        for _, ds in objects(folder):
            assert not ds.StudyDate
    folder = made.folders["values, dates of before"]
    assert "1993-08-22" in (folder / "fhir-1.json").read_text(encoding="utf-8")
    assert "19930822102030" in (folder / "hl7-1.hl7").read_bytes().decode("utf-8")


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_validator_of_the_field_finds_no_error(
    kind: ResultKind, made: Made, tool: Callable[[str], Path]
) -> None:
    for fault, folder in made.folders.items():
        for path in folder.glob(f"{kind}-*.dcm"):
            done = subprocess.run(
                [tool("dciodvfy"), path], capture_output=True, check=False, errors="replace"
            )
            found = (done.stdout + done.stderr).splitlines()
            assert not [line for line in found if line.startswith("Error")], (fault, path.name)
            assert len(found) > 0
