"""A gain, an inversion or a new scanner is alarmed within 50 studies; nothing else is."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from pacs_ai.dicom.pixels import decode_frame, render_frame
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.drift import QUIET, WINDOWS, Watch
from pacs_ai.model.input_statistics import input_statistics
from pacs_ai.model.preprocess import preprocess
from pacs_ai.phantom import write_phantom_study

Array = npt.NDArray[np.float64]
Values = Mapping[str, Array]


def follow(reference: Values, studies: Sequence[Mapping[str, float]]) -> tuple[list[int], Watch]:
    """Numbers of the studies at which an alarm began."""
    watch, began = Watch(), []
    for index in range(len(studies)):
        last = studies[max(0, index + 1 - WINDOWS[-1]) : index + 1]
        if watch.follow(reference, last)[1]:
            began.append(index + 1)
    return began, watch


def drawn(rng: np.random.Generator, count: int, shift: float = 0.0) -> list[dict[str, float]]:
    """Studies with three statistics that depend on one another."""
    mixed = rng.normal(size=(count, 3)) @ np.array([[1, 0.6, 0], [0, 0.8, 0.5], [0, 0, 0.9]])
    return [dict(zip("abc", row, strict=True)) for row in (mixed + shift).tolist()]


def columns(studies: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    return {name: np.sort([one[name] for one in studies]) for name in studies[0]}


@pytest.mark.slow
@pytest.mark.parametrize("size", [40, pytest.param(150, marks=pytest.mark.thorough)])
def test_at_most_one_false_alarm_in_ten_thousand_studies(size: int) -> None:
    """With ten bundles: which images happen to be in the validation matters, too."""
    rng = np.random.default_rng(size)
    alarms = []
    for _ in range(10):
        alarms += follow(columns(drawn(rng, size)), drawn(rng, 1000))[0]
    assert len(alarms) <= 1


def test_a_thousand_studies_without_a_false_alarm() -> None:
    rng = np.random.default_rng(3)
    assert follow(columns(drawn(rng, 75)), drawn(rng, 1000))[0] == []


def test_an_alarm_begins_once_and_ends_when_it_is_over() -> None:
    rng = np.random.default_rng(4)
    reference = columns(drawn(rng, 75))
    shifted = follow(reference, [*drawn(rng, 60), *drawn(rng, 60, shift=3.0)])
    assert len(shifted[0]) == 1
    assert 60 < shifted[0][0] <= 60 + 50
    assert set(shifted[1].alarms) == {"a", "b", "c"}
    again = follow(reference, [*drawn(rng, 60, shift=3.0), *drawn(rng, 2 * QUIET + 50)])
    assert len(again[0]) == 1
    assert again[1].alarms == {}


def test_a_statistic_that_one_side_lacks_is_not_compared() -> None:
    rng = np.random.default_rng(5)
    reference = columns(drawn(rng, 75)) | {"stored": np.zeros(75)}
    found, *_ = Watch().follow(reference, drawn(rng, 20))
    assert set(found) == {"a", "b", "c"}


@cache
def radiograph(seed: int, folder: Path) -> Path:
    [path] = write_phantom_study(folder / str(seed), "DX", seed, lesion=seed % 2 == 0).files
    return path


def measured(path: Path) -> dict[str, float]:
    """What the node measures, but for the scores."""
    spec = load_bundle("demo").input
    decoded = decode_frame(path)
    x = preprocess(render_frame(decoded, spec.windows).rows, spec)
    return input_statistics(x, decoded.values)


def changed(path: Path, change: Callable[[Dataset, Array], Array]) -> dict[str, float]:
    """Measure a radiograph whose stored values were changed."""
    dataset = dcmread(path)
    values = change(dataset, dataset.pixel_array.astype(float))
    dataset.PixelData = np.clip(np.rint(values), 0, 4095).astype(np.uint16).tobytes()
    other = path.with_suffix(f".{change.__name__}")
    dataset.save_as(other)
    return measured(other)


def same(_dataset: Dataset, values: Array) -> Array:
    return values


def gain(_dataset: Dataset, values: Array) -> Array:
    return 1.2 * values


def inverted(_dataset: Dataset, values: Array) -> Array:
    return 4095 - values


def other_scanner(_dataset: Dataset, values: Array) -> Array:
    """A softer detector with less contrast and another offset."""
    soft = (values + np.roll(values, 1, 0) + np.roll(values, 1, 1) + np.roll(values, -1, 1)) / 4
    return 300 + 0.8 * soft


def no_window(dataset: Dataset, values: Array) -> Array:
    """The same gain where the picture hides it, because it is stretched."""
    del dataset.WindowCenter, dataset.WindowWidth
    return 1.2 * values


@pytest.fixture(scope="module")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("radiographs")
    return [radiograph(seed, folder) for seed in range(900_000, 900_030)]


@pytest.mark.parametrize("change", [gain, inverted, other_scanner, no_window])
def test_what_changes_the_pictures_is_alarmed_within_fifty_studies(
    radiographs: list[Path], change: Callable[[Dataset, Array], Array]
) -> None:
    reference = load_bundle("demo").reference
    assert reference is not None
    values = {name: np.array(some) for name, some in reference.of("DX").items()}
    began, watch = follow(values, [changed(path, change) for path in radiographs])
    assert len(began) == 1, watch


def test_the_same_radiographs_are_not(radiographs: list[Path]) -> None:
    reference = load_bundle("demo").reference
    assert reference is not None
    values = {name: np.array(some) for name, some in reference.of("DX").items()}
    assert follow(values, [changed(path, same) for path in radiographs])[0] == []
