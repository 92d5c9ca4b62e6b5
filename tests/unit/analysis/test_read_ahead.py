"""Images are read beside the prediction: in order, bounded in bytes, and without a trace left."""

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate

from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.analysis.read_ahead import read_ahead
from pacs_ai.dicom import isolated_decoding
from pacs_ai.errors import StorageError
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.unit.dicom import encoders
from tests.unit.dicom.encoders import JPEG
from tests.unit.results.samples import ct_slice, save

THREADS = 3


def readers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("read-ahead")]


def test_results_come_in_order_whichever_is_ready_first() -> None:
    later = threading.Event()

    def read(number: int) -> int:
        if number == 0:
            assert later.wait(60)
        elif number == THREADS - 1:
            later.set()
        return number * number

    found = read_ahead(read, range(20), lambda _: 1, threads=THREADS, most=100)
    assert [(item, one.result()) for item, one in found] == [(n, n * n) for n in range(20)]


def test_not_more_bytes_than_allowed_are_held() -> None:
    """What waits counts as well as what is being read; only a single item may be larger."""
    sizes = [3, 4, 5, 30, 1, 1, 9, 10, 2]
    begun: list[int] = []

    def read(number: int) -> int:
        begun.append(number)
        return number

    ahead = read_ahead(read, range(len(sizes)), sizes.__getitem__, threads=THREADS, most=10)
    for number, future in ahead:
        assert future.result() == number
        waiting = [sizes[one] for one in begun if one > number]
        assert sum(waiting) <= 10 or len(waiting) == 1


def test_an_error_belongs_to_its_item() -> None:
    def read(number: int) -> int:
        return 1 // number

    ahead = read_ahead(read, [1, 0, 1], lambda _: 1, threads=THREADS, most=10)
    errors = [future.exception() for _, future in ahead]
    assert [type(error) for error in errors] == [type(None), ZeroDivisionError, type(None)]


def test_who_leaves_early_leaves_no_thread() -> None:
    begun = []
    ahead = read_ahead(begun.append, range(1000), lambda _: 1, threads=1, most=2)

    def leave() -> None:
        with closing(ahead):
            next(ahead)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert readers() == []
    assert len(begun) <= 3


@pytest.fixture(scope="module")
def threaded() -> Classifier:
    return Classifier.load(load_bundle("demo"), THREADS)


@pytest.fixture
def study(tmp_path: Path) -> list[Source]:
    """Twelve slices of lossless JPEG; each second one has another picture."""
    sources = []
    for number in range(1, 13):
        samples = np.add.outer(np.arange(96), np.arange(64) * (number % 2 + 1)).astype("u2")
        frame = encoders.lossless_jpeg(1)(samples, 16)
        dataset = ct_slice(number, Modality="MR", PixelData=encapsulate([frame]))
        dataset["PixelData"].VR = "OB"
        path = save(dataset, tmp_path / f"{number}.dcm", f"{JPEG}70")
        sources.append(Source(path, number))
    return sources


def test_a_study_is_the_same_with_any_number_of_threads(
    threaded: Classifier, study: list[Source]
) -> None:
    one = predict_study(Classifier(threaded.bundle, threaded._runtime), study).prediction
    many = predict_study(threaded, study).prediction
    for first, second in zip(one.images, many.images, strict=True):
        assert first.header == second.header
        assert first.probabilities == second.probabilities
    assert readers() == []


def test_an_outage_ends_the_study_and_its_threads(
    threaded: Classifier, study: list[Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decoding process that cannot be started says nothing of the image."""
    monkeypatch.setattr(isolated_decoding, "pool", isolated_decoding.DecodingPool(THREADS))
    monkeypatch.setattr("sys.executable", "/no/interpreter")
    with pytest.raises(StorageError, match="no process for decoding"):
        predict_study(threaded, study)
    assert readers() == []
