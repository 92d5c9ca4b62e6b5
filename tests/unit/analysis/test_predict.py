"""What is said of images that could not be shown as their headers ask."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.domain import StudyPrediction
from pacs_ai.errors import UnsupportedPixels
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.unit.results.samples import ct_slice, save

RAMP = np.arange(96 * 64, dtype="u2").reshape(96, 64)
UNITS = {"RescaleSlope": 1, "RescaleIntercept": -1024}


@pytest.fixture(scope="module")
def demo() -> Classifier:
    return Classifier.load(load_bundle("demo"))


def windowed(demo: Classifier) -> Classifier:
    """The same model, as if it had been trained through a lung window."""
    spec = demo.bundle.input.model_copy(update={"windows": {"CT": (-600.0, 1500.0)}})
    return Classifier(replace(demo.bundle, input=spec), demo._runtime)


def slices(folder: Path, *headers: dict[str, object]) -> list[Source]:
    return [
        Source(save(ct_slice(n, PixelData=RAMP.tobytes(), **values), folder / f"{n}.dcm"), n)
        for n, values in enumerate(headers, start=1)
    ]


def codes(prediction: StudyPrediction) -> dict[str, float]:
    return {
        one.code.value: one.percent
        for one in prediction.reservations
        if one.code.value.startswith("NO")
    }


def test_a_study_whose_windows_are_none_is_analysed_and_says_so(
    demo: Classifier, tmp_path: Path
) -> None:
    good = {"WindowCenter": 40, "WindowWidth": 400, "Modality": "MR"}
    bad = {**good, "WindowWidth": 0}
    prediction = predict_study(demo, slices(tmp_path, bad, good, bad, good)).prediction
    assert len(prediction.images) == 4
    assert codes(prediction) == {"NOWINDOW": 50}
    assert "window not usable" in prediction.images[0].misfits


def test_a_picture_that_collapses_is_counted_and_not_scored(
    demo: Classifier, tmp_path: Path
) -> None:
    far = {"RescaleSlope": 1, "RescaleIntercept": 20000}
    predicted = predict_study(demo, slices(tmp_path, UNITS, {**far, "RescaleType": "HU"}))
    assert len(predicted.prediction.images) == 1
    assert codes(predicted.prediction) == {"NOTREADABLE": 50}
    assert "collapses" in predicted.unusable[2]
    with pytest.raises(UnsupportedPixels, match="collapses"):
        predict_study(demo, slices(tmp_path, {**far, "RescaleType": "HU"}))


def test_a_window_that_is_not_applied_for_want_of_units_is_told(
    demo: Classifier, tmp_path: Path
) -> None:
    prediction = predict_study(windowed(demo), slices(tmp_path, UNITS, {})).prediction
    assert codes(prediction) == {"NOUNITS": 50}


def test_what_a_model_saw_through_its_own_window_is_shown(demo: Classifier, tmp_path: Path) -> None:
    """Soft tissue windows would show all of it black."""
    dark = {"RescaleSlope": 0.05, "RescaleIntercept": -650}
    predicted = predict_study(windowed(demo), slices(tmp_path, dark))
    assert np.ptp(predicted.frames.shown(predicted.prediction.images[0]).whole()) > 0.9


def without_pixels(path: Path, form: str) -> None:
    """Spoil an image in a way that leaves its pixels without bytes or shape."""
    dataset = pydicom.dcmread(path)
    if form == "no pixels":
        del dataset.PixelData
    elif form == "empty pixels":
        dataset.PixelData = b""
    elif form == "no rows":
        del dataset.Rows
    else:
        dataset.Columns = 0
    dataset.save_as(path)
    if form == "cut":
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rindex(b"\xe0\x7f\x10\x00")])


@pytest.mark.parametrize("form", ["no pixels", "empty pixels", "no rows", "no columns", "cut"])
@pytest.mark.parametrize("modality", ["MR", "CR"])
def test_an_image_that_lost_its_pixels_is_not_passed_over(
    form: str, modality: str, demo: Classifier, tmp_path: Path
) -> None:
    sources = slices(tmp_path, *[{"Modality": modality}] * 4)
    without_pixels(sources[1].path, form)
    predicted = predict_study(demo, sources)
    coverage = predicted.prediction.coverage
    assert (coverage.analysed, coverage.total, coverage.incomplete) == (3, 4, True)
    assert codes(predicted.prediction) == {"NOTREADABLE": 25}
    assert list(predicted.unusable) == [2]


def test_a_broken_image_of_a_series_that_is_not_chosen_is_not_missed(
    demo: Classifier, tmp_path: Path
) -> None:
    plain = {"Modality": "MR"}
    sources = slices(tmp_path, plain, plain, {**plain, "SeriesInstanceUID": "1.2.9.9"})
    without_pixels(sources[2].path, "no pixels")
    assert predict_study(demo, sources).prediction.coverage.total == 2
