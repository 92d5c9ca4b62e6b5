"""What a radiologist sees: results of the node in OHIF, on Orthanc, in a browser.

The pictures stay below test-output/viewer: numbers are no substitute for looking at them.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.model.predict import Classifier
from pacs_ai.results.sr.read_report import read_findings, read_reservations
from tests.integration.orthanc_server import OrthancServer
from tests.viewer import studies
from tests.viewer.browser import Browser, Shot
from tests.viewer.studies import Stored

pytestmark = [pytest.mark.integration, pytest.mark.slow]

OVERLAY, REPORT, REGION = "AI heat map (", "AI classification", "AI region"
MAP = "AI Grad-CAM"
BITS, LABELS = "AI hot areas (", "AI hot areas, label map ("
ALL = (None, OVERLAY, REPORT)
SERIES = {
    "positive": (*ALL, REGION, BITS, LABELS),
    "negative": ALL,
    "several": (REPORT,),
    "fourteen": (REPORT, REGION),
    "unlike": (REPORT,),
    "broken": (REPORT,),
    "some": (MAP,),
    "enhanced": (MAP,),
}
IMAGE_LEVELS = 200
"""A picture has more different colours than this, a black or empty pane far fewer."""

OWN_ERRORS: tuple[str, ...] = ()
"""Console errors that OHIF 3.13.2 shows of its own, with our results or without: none."""


@pytest.fixture(scope="module")
def stored(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    """Studies with their results, by name; `broken` has a report as no viewer can show it."""
    folder = tmp_path_factory.mktemp("studies")
    real = folder / "real.dcm"
    shutil.copy(str(get_testdata_file("CT_small.dcm", download=False)), real)

    def phantom(*arguments: object, **keywords: object) -> tuple[Path, ...]:
        return studies.phantom(folder / f"phantom-{arguments[1]}", *arguments, **keywords)  # type: ignore[arg-type]

    made = {
        "positive": studies.analysed(
            classifier, phantom("CT", 11, lesion=True, slices=6), folder / "positive"
        ),
        "negative": studies.analysed(classifier, phantom("DX", 12, lesion=False), folder / "neg"),
        "several": studies.of_fourteen(
            phantom("MR", 13, lesion=False, slices=3), folder / "several", found=0
        ),
        "fourteen": studies.of_fourteen(phantom("DX", 14, lesion=True), folder / "14", found=4),
        "unlike": studies.analysed(classifier, [real], folder / "unlike"),
        "some": studies.partly_analysed(phantom("CT", 16, lesion=True, slices=6), folder / "some"),
        "enhanced": studies.partly_analysed_frames(
            studies.enhanced(phantom("CT", 17, lesion=True, slices=6), folder / "enhanced.dcm"),
            folder / "enhanced",
        ),
        "broken": studies.analysed(classifier, phantom("DX", 15, lesion=True), folder / "broken"),
    }
    _take_coordinates(report_of(made["broken"]))
    return made


def report_of(study: Stored) -> Path:
    [path] = [file for file in study.files if file.name == "report-1.dcm"]
    return path


def _take_coordinates(path: Path) -> None:
    """Make it a report as a library writes it by default: numbers that lie on no image."""
    report = pydicom.dcmread(path)
    for item in _walk(report):
        if "ContentSequence" in item:
            rest = [one for one in item.ContentSequence if one.ValueType != "SCOORD"]
            item.ContentSequence = rest
    report.save_as(path)


def _walk(item: Dataset) -> list[Dataset]:
    children = list(item.get("ContentSequence", []))
    return children + [below for child in children for below in _walk(child)]


@pytest.fixture(scope="module")
def shots(
    stored: Mapping[str, Stored], orthanc: OrthancServer, browser: Browser
) -> dict[str, list[Shot]]:
    for study in stored.values():
        for file in study.files:
            orthanc.upload(file)
    return browser.look({name: (stored[name].uid, SERIES[name]) for name in SERIES})


def shot(shots: Mapping[str, list[Shot]], study: str, series: str | None) -> Shot:
    [one] = [one for one in shots[study] if one.series == series]
    return one


def expected_labels(report: Dataset) -> list[str]:
    """What a report says, as the viewer is to write it."""
    return [
        f"{item.ConceptNameCodeSequence[0].CodeMeaning}: "
        f"{float(item.MeasuredValueSequence[0].NumericValue):.2f} %"
        for item in _walk(report)
        if item.ValueType == "NUM" and _unit(item) == "%"
    ]


def _unit(number: Dataset) -> str:
    return str(number.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue)


@pytest.mark.parametrize(
    ("study", "series"),
    [
        (study, one)
        for study, series in SERIES.items()
        for one in series
        if study != "broken" and one != MAP
    ],
)
def test_an_image_is_drawn_and_nothing_goes_wrong(
    shots: dict[str, list[Shot]], study: str, series: str | None
) -> None:
    seen = shot(shots, study, series)
    assert seen.lit() > 0.1, "a black viewport"
    assert seen.levels() > IMAGE_LEVELS
    assert [error for error in seen.errors if not error.startswith(OWN_ERRORS)] == []
    assert seen.failed == ()
    assert seen.notices == ()


@pytest.mark.parametrize("study", ["some", "enhanced"])
def test_a_map_lies_over_its_source_where_only_some_slices_were_analysed(
    shots: dict[str, list[Shot]], study: str
) -> None:
    seen = shot(shots, study, MAP)
    assert seen.coloured() > 0.1
    assert seen.lit() > 0.1
    assert (seen.errors, seen.failed) == ((), ())
    assert [text for text in seen.notices if not text.startswith("Parametric Map")] == []


@pytest.mark.parametrize("study", ["positive", "negative"])
def test_source_overlay_and_report_are_different_pictures(
    shots: dict[str, list[Shot]], study: str
) -> None:
    source, overlay, report = (shot(shots, study, series) for series in ALL)
    assert source.coloured() < 0.002
    assert overlay.coloured() > source.coloured() + 0.01
    assert report.coloured() > source.coloured(), "labels are drawn in colour"
    assert report.coloured() < overlay.coloured()


def test_a_finding_is_painted_more_strongly_than_its_absence(
    shots: dict[str, list[Shot]],
) -> None:
    positive, negative = (
        shot(shots, name, OVERLAY).coloured() for name in ("positive", "negative")
    )
    assert positive > negative


@pytest.mark.parametrize("study", ["positive", "negative", "several", "fourteen", "unlike"])
def test_the_report_is_written_on_the_image(
    shots: dict[str, list[Shot]], stored: dict[str, Stored], study: str
) -> None:
    seen = shot(shots, study, REPORT)
    report = pydicom.dcmread(report_of(stored[study]))
    said = expected_labels(report)
    assert seen.texts, "nothing of the report on the image"
    assert set(seen.texts) <= set(said)
    if len({finding.sop_instance_uid for finding in read_findings(report)}) == 1:
        assert sorted(seen.texts) == sorted(said)


@pytest.mark.parametrize("study", ["positive", "negative", "several", "fourteen", "unlike"])
def test_every_label_can_be_read(shots: dict[str, list[Shot]], study: str) -> None:
    seen = shot(shots, study, REPORT)
    for index, label in enumerate(seen.labels):
        assert label.x >= seen.pane.x
        assert label.x + label.width <= seen.pane.x + seen.pane.width, f"{label.text} is cut off"
        assert label.y + label.height <= seen.pane.y + seen.pane.height
        for other in seen.labels[:index]:
            assert not label.meets(other), f"{label.text} over {other.text}"


def test_a_finding_is_told_at_a_glance(shots: dict[str, list[Shot]]) -> None:
    found = {
        name: [text for text in shot(shots, name, REPORT).texts if text.startswith("FOUND - ")]
        for name in ("positive", "negative", "fourteen")
    }
    assert [len(texts) for texts in found.values()] == [2, 0, 4]  # positive: study and image
    assert all("esion probability" in text for text in found["positive"])
    assert shot(shots, "fourteen", REPORT).texts[:4] == found["fourteen"], "findings come first"


def test_a_region_is_drawn_around_the_finding(shots: dict[str, list[Shot]]) -> None:
    source, region = (shot(shots, "positive", series) for series in (None, REGION))
    assert [text.partition(":")[0] for text in region.texts] == [
        "Lesion probability of whole image"
    ]
    assert region.coloured() > source.coloured()


def test_both_forms_of_a_segmentation_are_drawn_alike(shots: dict[str, list[Shot]]) -> None:
    source, bits, labels = (shot(shots, "positive", series) for series in (None, BITS, LABELS))
    assert bits.coloured() > source.coloured() + 0.01
    assert labels.coloured() == pytest.approx(bits.coloured(), rel=0.1)


def test_classes_in_one_place_are_all_named(
    shots: dict[str, list[Shot]], stored: dict[str, Stored]
) -> None:
    seen = shot(shots, "fourteen", REGION)
    found = stored["fourteen"].prediction.positive_classes()
    first, second, *others = (
        f"{studies.FOURTEEN[class_index].name} probability" for class_index in found
    )
    assert len(seen.labels) == len(found) - 1
    assert len([text for text in seen.texts if first in text and second in text]) == 1
    assert all(any(name in text for text in seen.texts) for name in others)
    for index, label in enumerate(seen.labels):
        for other in seen.labels[:index]:
            assert not label.meets(other), f"{label.text} over {other.text}"


def test_images_unlike_those_of_training_are_told_first(
    shots: dict[str, list[Shot]], stored: dict[str, Stored]
) -> None:
    assert read_reservations(pydicom.dcmread(report_of(stored["unlike"])))
    first, *_ = shot(shots, "unlike", REPORT).texts
    assert first.startswith("Unlike the training images (limit 100 %): ")


def test_a_report_without_coordinates_is_seen_to_fail(shots: dict[str, list[Shot]]) -> None:
    """The judge itself: this is what it has to notice."""
    seen = shot(shots, "broken", REPORT)
    assert seen.levels() <= IMAGE_LEVELS
    assert seen.lit() < 0.1
    assert seen.errors or seen.notices
