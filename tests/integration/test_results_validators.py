"""Results of real sources before the validators of the field, through the reference checker.

dciodvfy, dcentvfy, dsrdump and PixelMed's validator each have to find nothing. Needed: the
reference data, dicom3tools, dcmtk, a Java runtime and libpixelmed-java.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.coverage import NOTHING, LeftOut, Unseen
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.domain import DOCUMENTS, ClassSpec, ImagePrediction, ResultKind
from pacs_ai.model.reservations import reservations_of
from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.results.build import Built, build_refusals, build_results
from pacs_ai.results.sr.older_report import as_comprehensive_sr, as_enhanced_sr
from tests.integration.generated_sources import GENERATED, write_generated
from tests.pixelmed import JAR, OPTIONS, VALIDATOR
from tests.unit.air.result_folder import faults
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    TWO_CLASSES,
    blob,
    image,
    model,
    refusal,
    study,
)

BOTH, MAP = (ResultKind.REPORT, ResultKind.CAPTURE), ResultKind.MAP
UNCHECKED = (ResultKind.PDF, ResultKind.SIDE_BY_SIDE)
"""The reference checker knows no documents, and wants pictures in the shape of their source."""

ALL = tuple(kind for kind in ResultKind if kind not in (*DOCUMENTS, *UNCHECKED))
NEEDS = {
    ResultKind.REPORT: "sr",
    ResultKind.CAPTURE: "sc",
    ResultKind.STACK: "sc",
    ResultKind.CONTACT_SHEET: "sc",
    ResultKind.REGION: "sr",
    ResultKind.MAP: "pm",
    ResultKind.KEY_OBJECT: "ko",
    ResultKind.SEG: "seg",
    ResultKind.LABEL_MAP: "seg",
}
"""What the checker calls the kinds."""

ELSEWHERE = tuple(
    f"Referenced{what}Sequence" for what in ("PerformedProcedureStep", "Image", "Patient", "Study")
)
"""Of a source: they name objects that dcentvfy looks for among those that it is given."""

ALWAYS = {*BOTH, MAP, ResultKind.STACK, ResultKind.CONTACT_SHEET}
"""Kinds that a negative study has, too."""

APART = PredictionSets(0.9, "findings", (0.7, 0.8), (0.2, 0.3))
FOURTEEN = tuple(round(0.93 - 0.065 * n, 4) for n in range(14))

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@dataclass(frozen=True)
class Case:
    """A source, what is found in it, and the patient's name set in a copy of it."""

    source: str  # in the reference data; what pydicom packages is named without a folder
    lesion: tuple[float, ...] = (0.93,)
    name: str = ""
    classes: tuple[ClassSpec, ...] = TWO_CLASSES
    flat: bool = False
    frames: tuple[int, ...] = (1,)
    strange: bool = False  # unlike the images of training, and of another body part
    sets: PredictionSets | None = None
    kinds: tuple[ResultKind, ...] = ALL
    left_out: LeftOut = NOTHING


MOST = LeftOut(unreadable=Unseen(27, ("image 2",)), other_orientation=Unseen(1), thinned=9)

CASES = {
    "ct": Case("CT_small.dcm"),
    "mr negative, japanese": Case("MR_small.dcm", (0.07,), "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "mg, korean": Case("generated mg", name="Hong^Gildong=洪^吉洞=홍^길동"),
    "xa, three frames, chinese": Case("generated xa", (0.2, 0.9, 0.8), "王^小东", frames=(1, 2, 3)),
    "us without explanation": Case("generated us", flat=True, frames=(1, 2), kinds=BOTH),
    "cr monochrome1, 14 classes, korean": Case(
        "dwv/data/gdcm-CR-MONO1-10-chest.dcm", name="Hong^Gildong=洪^吉洞", classes=FOURTEEN_CLASSES
    ),
    "dx, arabic": Case("highdicom/test_files/dx_image.dcm", name="قباني^لنزار"),
    "ct series, positive, cyrillic": Case(
        "ct-chest-11", (0.1, 0.7, 0.9), "Иванов^Пётр", kinds=(*BOTH, MAP, ResultKind.CONTACT_SHEET)
    ),
    "mr series, negative, greek": Case(
        "mr-brain-35", (0.1, 0.2), "Διονυσιος", kinds=(*BOTH, ResultKind.CONTACT_SHEET)
    ),
    "ct of which most was not looked at": Case("CT_small.dcm", left_out=MOST),
    "mr negative, most not looked at": Case("MR_small.dcm", (0.07,), left_out=MOST),
    "xa, most frames not looked at": Case("generated xa", (0.2, 0.9), frames=(1, 2), left_out=MOST),
    "capture of a screen": Case("generated sc", kinds=(*BOTH, ResultKind.REGION)),
    "ct, with reservations": Case("CT_small.dcm", strange=True, kinds=BOTH),
    "ct, undetermined": Case("CT_small.dcm", (0.6,), sets=APART),
    "enhanced mr, chinese": Case(
        "pydicom-data/emri_small.dcm", (0.1, 0.8, 0.6), "王^小东", frames=(1, 2, 3, 4)
    ),
}  # fmt: skip


@pytest.fixture(scope="session")
def check(
    shared: Path, tool: Callable[[str], Path], pixelmed: Path
) -> Callable[[Path, Path], subprocess.CompletedProcess[str]]:
    """Run the reference checker on a folder of results and one of sources."""
    for name in ("dciodvfy", "dcentvfy", "dsrdump"):
        tool(name)

    def run(results: Path, source: Path, *more: str) -> subprocess.CompletedProcess[str]:
        checker = shared / "tools" / "check_results.py"
        command = [sys.executable, checker, results, source, "--require-tools", *more]
        first = [str(pixelmed.parent), str(tool("dciodvfy").parent)]
        environment = {**os.environ, "PATH": os.pathsep.join([*first, os.environ["PATH"]])}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    return run


def failures(run: subprocess.CompletedProcess[str]) -> list[str]:
    assert "passed" in run.stdout, run.stdout + run.stderr
    return [line for line in run.stdout.splitlines() if line.startswith("FAIL")]


def copies(case: Case, shared: Path, folder: Path) -> list[Path]:
    """Copy the source with the name set, and what is wrong with its patient and study mended."""
    if case.source in GENERATED:
        found = write_generated(case.source, folder.parent)
    elif "/" not in case.source and case.source.endswith(".dcm"):
        found = Path(str(get_testdata_file(case.source)))
    else:
        found = shared / "data" / "dicom" / case.source
    paths = sorted(p for p in found.rglob("*") if p.is_file()) if found.is_dir() else [found]
    folder.mkdir()
    return [prepared(path, folder / f"{n:04}.dcm", case.name) for n, path in enumerate(paths)]


def prepared(path: Path, copy: Path, name: str) -> Path:
    with quiet():
        ds = pydicom.dcmread(path)
        mandatory = ["PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"]
        mandatory += ["AccessionNumber", "ReferringPhysicianName", "StudyID"]
        if "ClinicalTrialTimePointDescription" in ds:
            mandatory.append("ClinicalTrialTimePointID")
        for keyword in mandatory:
            if keyword not in ds:
                setattr(ds, keyword, "")
        if any(
            "CodingSchemeDesignator" not in code for code in ds.get("ProcedureCodeSequence", [])
        ):
            del ds.ProcedureCodeSequence
        for elsewhere in ELSEWHERE:
            if elsewhere in ds:
                delattr(ds, elsewhere)
        if name:
            ds.SpecificCharacterSet = "ISO_IR 192"
            ds.PatientName = name
        ds.save_as(copy)
    return copy


def pictures(case: Case, paths: Sequence[Path]) -> Iterator[ImagePrediction]:
    places = [(path, frame) for path in paths for frame in case.frames]
    for number, (path, frame) in enumerate(places):
        p = case.lesion[number % len(case.lesion)]
        probabilities = FOURTEEN if case.classes is FOURTEEN_CLASSES else (1 - p, p)
        seen = image(path, probabilities, blob() * (0 if case.flat else 1), frame)
        yield replace(seen, outlier=2.31, misfits=("other body part",)) if case.strange else seen


def grey(picture: ImagePrediction):
    return read_pixels(picture.header.path, picture.frame)


def write(results: Iterable[Built], folder: Path) -> Path:
    folder.mkdir()
    for result in results:
        result.write(folder / f"{result.kind}-{result.number}{result.suffix}")
    return folder


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_validator_finds_anything(case: Case, shared: Path, check, tmp_path: Path) -> None:
    paths = copies(case, shared, tmp_path / "source")
    activation = "sigmoid" if case.classes is FOURTEEN_CLASSES else "softmax"
    identity = replace(model(case.classes, activation), sets=case.sets)
    prediction = study(list(pictures(case, paths)), identity)
    prediction = replace(prediction, left_out=case.left_out)
    prediction = replace(prediction, reservations=reservations_of(prediction))
    results = list(build_results(prediction, case.kinds, CONTEXT, grey))
    made = write(results, tmp_path / "made")
    later = replace(CONTEXT, created_at=CONTEXT.created_at + timedelta(days=1))
    again = write(build_results(prediction, case.kinds, later, grey), tmp_path / "again")
    expected = case.kinds if prediction.positive_classes() else set(case.kinds) & ALWAYS
    assert {result.kind for result in results} == set(expected)
    needs = ",".join({NEEDS[kind] for kind in expected})
    done = check(made, tmp_path / "source", "--need", needs, "--again", str(again))
    assert failures(done) == []
    assert done.returncode == 0
    assert faults([made, tmp_path / "source"]) == []


def test_the_same_report_for_a_peer_that_refuses_3d(shared: Path, check, tmp_path: Path) -> None:
    case = CASES["ct"]
    prediction = study(list(pictures(case, copies(case, shared, tmp_path / "source"))))
    made = write(build_results(prediction, BOTH, CONTEXT, grey), tmp_path / "made")
    report = made / "report-1.dcm"
    for older in (as_comprehensive_sr, as_enhanced_sr):
        report.write_bytes(older(report).content)
        assert failures(check(made, tmp_path / "source")) == []


def test_a_name_in_an_older_character_set_differs_in_its_bytes_only(
    shared: Path, check, tmp_path: Path
) -> None:
    """A name that was ISO 2022 and is UTF-8 now is another one to dcentvfy, which knows neither."""
    case = CASES["mr negative, japanese"]
    [path] = copies(case, shared, tmp_path / "source")
    ds = pydicom.dcmread(path)
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.save_as(path)
    prediction = study(list(pictures(case, [path])))
    made = write(build_results(prediction, BOTH, CONTEXT, grey), tmp_path / "made")
    [only] = failures(check(made, tmp_path / "source"))
    assert "dcentvfy" in only
    assert only.count("Error") == only.count("Element=<PatientName>")


def test_the_checker_is_not_easily_pleased(
    shared: Path, check, tool: Callable[[str], Path], pixelmed: Path, tmp_path: Path
) -> None:
    case = CASES["ct"]
    prediction = study(list(pictures(case, copies(case, shared, tmp_path / "source"))))
    made = write(build_results(prediction, BOTH, CONTEXT, grey), tmp_path / "made")
    report: Dataset = pydicom.dcmread(made / "report-1.dcm")
    report.PatientID = "SOMEBODY ELSE"
    del report.CompletionFlag
    report.save_as(made / "report-1.dcm")
    shutil.copy(made / "capture-1.dcm", made / "capture-2.dcm")
    new = [tool("java"), *OPTIONS, "-cp", JAR, VALIDATOR, made / "report-1.dcm"]
    assert output(*new) == output(pixelmed, VALIDATOR, made / "report-1.dcm")
    found = " ".join(failures(check(made, tmp_path / "source")))
    for expected in ("unique", "identity", "dciodvfy", "complete and unverified"):
        assert expected in found


@pytest.mark.parametrize("name", ["cr monochrome1, 14 classes, korean", "dx, arabic"])
def test_pages_and_reports_of_what_was_not_analysable(
    name: str, shared: Path, tool: Callable[[str], Path], pixelmed: Path, tmp_path: Path
) -> None:
    """What the reference checker cannot judge, before the validators themselves."""
    case = CASES[name]
    paths = copies(case, shared, tmp_path / "source")
    seen = list(pictures(case, paths))
    prediction = study(seen, model(case.classes, "sigmoid"))
    page = write(build_results(prediction, UNCHECKED, CONTEXT, grey), tmp_path / "page")
    said = write(
        build_refusals(refusal(seen), [ResultKind.REPORT, ResultKind.PDF], CONTEXT),
        tmp_path / "refused",
    )
    objects = [*page.iterdir(), *said.iterdir()]
    assert len(objects) > len(UNCHECKED)
    for path in objects:
        found = output(tool("dciodvfy"), path)
        assert "Error" not in found
        assert {"EncapsulatedPDF", "Comprehensive3DSR", "SCImage"} & set(found.splitlines())
    together = output(tool("dcentvfy"), *paths, *objects)
    assert [line for line in together.splitlines() if line.startswith("Error")] == []
    report = said / "report-1.dcm"
    assert "Not analysable: no suitable image for MG" in output(tool("dsrdump"), "+Pl", report)
    found = output(pixelmed, VALIDATOR, report)
    assert "Found Root Template TID_2000" in found
    assert "IOD validation complete" in found
    assert "Error" not in found


def output(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
