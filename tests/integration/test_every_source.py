"""Every kind of result of every kind of source, before validators of the field.

Fifteen kinds of generated sources, so that no reference data are needed. The sources are small and
far from valid: whatever is wrong with them, no result may have it. dciodvfy, dcentvfy and DCMTK
judge the objects, hl7apy and fhir.resources the messages; so do our own checks. PixelMed judges
reports in test_results_validators.py, as it takes seconds for each.
"""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import DOCUMENTS, ImagePrediction, ResultKind
from pacs_ai.results.build import build_refusals, build_results
from pacs_ai.results.sr.older_report import as_basic_text_sr, as_comprehensive_sr, as_enhanced_sr
from tests.integration.generated_sources import GENERATED, write_generated
from tests.integration.test_results_validators import grey
from tests.unit.air.result_folder import faults
from tests.unit.results.samples import CONTEXT, blob, image, refusal, study

pytestmark = pytest.mark.integration

Tool = Callable[[str], Path]
NO_REPORT = [kind for kind in ResultKind if kind not in DOCUMENTS]
OLDER = (
    ("report", as_comprehensive_sr),
    ("report", as_enhanced_sr),
    ("report", as_basic_text_sr),
    ("region", as_comprehensive_sr),
    ("region", as_enhanced_sr),
)
REPORTS = 3 + len(OLDER)
"""Report, region, the report of what was not analysable, and the older forms."""


def seen_in(source: Path) -> list[ImagePrediction]:
    frames = int(pydicom.dcmread(source, stop_before_pixels=True).get("NumberOfFrames", 1))
    return [
        image(source, (1 - p, p), blob(), frame)
        for frame, p in zip(range(1, frames + 1), (0.9, 0.3, 0.8), strict=False)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with all results, by the name of their source."""
    return {name: results_of(name, tmp_path_factory.mktemp("source")) for name in GENERATED}


def results_of(name: str, folder: Path) -> Path:
    source = write_generated(name, folder)
    seen = seen_in(source)
    out = folder / "made"
    out.mkdir()
    for built in build_results(study(seen), list(ResultKind), CONTEXT, grey):
        built.write(out / f"{built.kind}-{built.number}{built.suffix}")
    later = replace(CONTEXT, identity="refused")
    refused = folder / "refused"
    refused.mkdir()
    for built in build_refusals(refusal(seen), list(ResultKind), later):
        built.write(refused / f"{built.kind}-{built.number}{built.suffix}")
    older = folder / "older"
    older.mkdir()
    for kind, convert in OLDER:
        name = f"{kind}-{convert.__name__}.dcm"
        (older / name).write_bytes(convert(out / f"{kind}-1.dcm").content)
    return folder


def objects(folder: Path) -> list[Path]:
    return sorted([path for path in folder.glob("*/*.dcm") if path.parent.name != "source"])


def said(command: Sequence[object]) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, check=False)
    return (done.stdout + done.stderr).decode(errors="replace")


def errors(text: str) -> Iterator[str]:
    return (line for line in text.splitlines() if line.startswith("Error"))


@pytest.mark.parametrize("name", GENERATED)
def test_every_kind_is_made_and_valid_for_us(name: str, made: dict[str, Path]) -> None:
    folder = made[name]
    kinds = {path.name.partition("-")[0] for path in (folder / "made").iterdir()}
    assert kinds == set(ResultKind)
    for path in objects(folder):
        assert check_dataset(pydicom.dcmread(path)) == [], path.name
    source = next(folder.glob("*.dcm"))
    assert faults([folder / "made", source]) == []


@pytest.mark.parametrize("name", GENERATED)
def test_the_validator_of_objects_finds_no_error(
    name: str, made: dict[str, Path], tool: Tool
) -> None:
    for path in objects(made[name]):
        found = said([tool("dciodvfy"), path])
        assert list(errors(found)) == [], (path.name, found)
        assert [line for line in found.splitlines() if line.isalnum()], "the name of the IOD"


@pytest.mark.parametrize("name", GENERATED)
def test_results_and_source_agree_on_patient_and_study(
    name: str, made: dict[str, Path], tool: Tool
) -> None:
    source = next(made[name].glob("*.dcm"))
    found = said([tool("dcentvfy"), source, *objects(made[name])])
    assert list(errors(found)) == []
    told = [line for line in found.splitlines() if "IE=<Patient>" in line or "IE=<Study>" in line]
    assert told == []


def test_dcmtk_reads_every_report(made: dict[str, Path], tool: Tool) -> None:
    """One call for the reports of all sources."""
    reports = [
        path
        for folder in made.values()
        for path in objects(folder)
        if pydicom.dcmread(path, stop_before_pixels=True).Modality == "SR"
    ]
    assert len(reports) == len(made) * REPORTS
    found = said([tool("dsrdump"), "+Pf", *reports])
    assert [line for line in found.splitlines() if line.startswith(("E:", "F:"))] == []
    for path in reports:
        assert path.name in found


@pytest.mark.parametrize("kind", NO_REPORT)
def test_dcmtk_writes_every_object_as_json(
    kind: ResultKind, made: dict[str, Path], tool: Tool
) -> None:
    """Of one source that has all kinds: it is about the objects, not about the source."""
    path = made["generated enhanced ct"] / "made" / f"{kind}-1.dcm"
    written = json.loads(said([tool("dcm2json"), path]))
    own = pydicom.dcmread(path)
    assert written["00080018"]["Value"] == [own.SOPInstanceUID]
    assert set(written) >= {f"{int(one.tag):08X}" for one in own}


@pytest.mark.parametrize("name", GENERATED)
def test_messages_are_valid(name: str, made: dict[str, Path]) -> None:
    for part in ("made", "refused"):
        folder = made[name] / part
        message = (folder / "hl7-1.hl7").read_bytes().decode("utf-8")
        assert parse_message(message, validation_level=VALIDATION_LEVEL.STRICT).validate()
        Bundle.model_validate_json((folder / "fhir-1.json").read_bytes())
