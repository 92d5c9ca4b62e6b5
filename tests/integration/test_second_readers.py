"""What other programs take for the place of a finding lies where its heat map is strongest.

DCMTK, PixelMed and highdicom each read the report on their own. Of what each calls an image region,
nothing may lie anywhere else, and what is absent has no such place.
"""

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.sr import MeasurementReport

from pacs_ai.domain import ImagePrediction, ResultKind
from pacs_ai.results.build import build_results
from tests.conftest import missing
from tests.pixelmed import JAR
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    blob,
    ct_slice,
    grey,
    image,
    model,
    save,
    study,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

Places = list[tuple[float, float]]
QUICK_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""For a program that ends after seconds: half the time."""

TO_XML = "com.pixelmed.dicom.XMLRepresentationOfStructuredReportObjectFactory"
_POINT = re.compile(
    r'INFERRED FROM SCOORD:\(111030,DCM,"Image Region"\)=\(POINT,([\d.]+)/([\d.]+)', re.I
)


@pytest.fixture
def found(tmp_path: Path) -> tuple[Path, Places]:
    """A report of fourteen classes, half of them present, and where their heat maps are hottest."""
    spots = [(0.1 + 0.06 * n, 0.95 - 0.06 * n) for n in range(14)]
    maps = np.stack([blob(x, y) for x, y in spots])
    chances = tuple(0.95 - 0.065 * n for n in range(14))
    seen = image(save(ct_slice(), tmp_path / "1.dcm"), chances)
    seen = ImagePrediction(seen.header, 1, chances, maps)
    prediction = study([seen], model(FOURTEEN_CLASSES, "sigmoid"))
    [report] = build_results(prediction, [ResultKind.REPORT], CONTEXT, grey)
    report.write(tmp_path / "report.dcm")
    hottest = []
    for index in prediction.positive_classes():
        row, column = np.unravel_index(maps[index].argmax(), maps[index].shape)
        hottest.append(((column + 0.5) / 14 * 64, (row + 0.5) / 14 * 96))
    assert 1 < len(hottest) < 14
    return tmp_path / "report.dcm", hottest


def by_dcmtk(report: Path, tool: Callable[[str], Path]) -> Places:
    told = said(tool("dsrdump"), "+Pl", "+Pc", report)
    return [(float(x), float(y)) for x, y in _POINT.findall(told)]


def by_pixelmed(report: Path, tool: Callable[[str], Path]) -> Places:
    if not JAR.is_file():
        missing("PixelMed of Debian's libpixelmed-java")
    told = said(tool("java"), *QUICK_JAVA, "-cp", JAR, TO_XML, "toXML", report)
    root = ET.fromstring(told[told.index("<?xml") :])  # noqa: S314 - of our own report
    places = []
    for scoord in root.iter("scoord"):
        concept = scoord.find("concept")
        if concept is not None and concept.get("cv") == "111030":
            assert scoord.get("relationship") == "INFERRED FROM"
            [x], [y] = ([float(one.text or "") for one in scoord.iter(axis)] for axis in "xy")
            places.append((x, y))
    return places


def by_highdicom(report: Path, tool: Callable[[str], Path]) -> Places:  # noqa: ARG001
    read = MeasurementReport.from_sequence([pydicom.dcmread(report)])
    return [
        tuple(float(one) for one in place.value[0])  # type: ignore[misc]
        for group in read.get_image_measurement_groups()
        for number in group.get_measurements()
        for place in number.referenced_coordinates
    ]


def said(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("reader", [by_dcmtk, by_pixelmed, by_highdicom])
def test_a_reader_of_another_maker_finds_the_findings_where_they_are(
    found: tuple[Path, Places],
    tool: Callable[[str], Path],
    reader: Callable[[Path, Callable[[str], Path]], Places],
) -> None:
    report, hottest = found
    assert reader(report, tool) == [pytest.approx(one, abs=0.01) for one in hottest]


def test_a_reader_that_writes_a_page_names_regions_of_findings_alone(
    found: tuple[Path, Places], tool: Callable[[str], Path]
) -> None:
    report, hottest = found
    page = re.sub(r"<[^>]*>", " ", said(tool("dsr2html"), report))
    assert len(re.findall(r"Inferred from\s*:\s*Image Region", page)) == len(hottest)
