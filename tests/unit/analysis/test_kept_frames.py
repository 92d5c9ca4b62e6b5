"""Every image is decoded once for the model, and what is drawn of it needs no second time."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

from pacs_ai.analysis import kept_frames
from pacs_ai.analysis.kept_frames import KeptFrames
from pacs_ai.analysis.make import make_results
from pacs_ai.analysis.predict import PredictedStudy, Source, predict_study
from pacs_ai.dicom import parsed_files
from pacs_ai.dicom.pixels import DecodedFrame, decode_frame
from pacs_ai.dicom.reading import Opened
from pacs_ai.domain import ImagePrediction, ResultKind
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.unit.analysis.memory import ResultMemory, context_of
from tests.unit.results.samples import FOURTEEN_CLASSES, ct_slice, image, model, save

IMAGES = 8
FRAME_BYTES = 96 * 64 * 2
OF_MANY = (ResultKind.STACK, ResultKind.CONTACT_SHEET)
"""Kinds that show more images than are kept."""

CHEAP = tuple(kind for kind in ResultKind if kind not in OF_MANY)


@pytest.fixture(scope="module")
def demo() -> Classifier:
    return Classifier.load(load_bundle("demo"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is decoded."""
    count: Counter[str] = Counter()

    def counting(path: Path, frame: int = 1, parsed: Opened | None = None) -> DecodedFrame:
        count[path.name] += 1
        return decode_frame(path, frame, parsed)

    for module in (parsed_files, kept_frames):
        monkeypatch.setattr(module, "decode_frame", counting)
    return count


def slices(folder: Path) -> list[Source]:
    rng = np.random.default_rng(4)
    sources = []
    for number in range(1, IMAGES + 1):
        pixels = rng.integers(0, 4000, (96, 64), dtype="u2") // number
        file = save(
            ct_slice(number, PixelData=pixels.tobytes(), Modality="MR"), folder / f"{number}.dcm"
        )
        sources.append(Source(file, number))
    return sources


def made(
    predicted: PredictedStudy, kinds: tuple[ResultKind, ...], frames: KeptFrames
) -> list[bytes]:
    writer = ResultMemory()
    outcome = make_results(predicted.prediction, kinds, context_of, writer, frames)
    assert not outcome.failed
    assert {one.kind for one in outcome.made} <= set(kinds)
    return [one.encode() for one in outcome.made]


@pytest.mark.parametrize("kind", [None, *CHEAP])
def test_each_image_is_decoded_once_for_model_and_pictures(
    kind: ResultKind | None, demo: Classifier, tmp_path: Path, decoded: Counter[str]
) -> None:
    predicted = predict_study(demo, slices(tmp_path))
    made(predicted, CHEAP if kind is None else (kind,), predicted.frames)
    assert decoded == {f"{number}.dcm": 1 for number in range(1, IMAGES + 1)}


@pytest.mark.parametrize("kind", OF_MANY)
def test_a_kind_of_many_images_decodes_again_only_what_is_not_kept(
    kind: ResultKind, demo: Classifier, tmp_path: Path, decoded: Counter[str]
) -> None:
    predicted = predict_study(demo, slices(tmp_path))
    assert predicted.frames.nbytes == 3 * FRAME_BYTES
    made(predicted, (kind,), predicted.frames)
    assert predicted.frames.nbytes == 3 * FRAME_BYTES // 2  # levels of eight bits
    assert sorted(decoded.values()) == [1] * 3 + [2] * (IMAGES - 3)


def test_results_do_not_depend_on_what_is_kept(demo: Classifier, tmp_path: Path) -> None:
    predicted = predict_study(demo, slices(tmp_path))
    nothing = KeptFrames(predicted.prediction.model, limit=0)
    kinds = tuple(ResultKind)
    assert made(predicted, kinds, predicted.frames) == made(predicted, kinds, nothing)


def seen(path: Path, number: int, *chances: float) -> ImagePrediction:
    one = image(path, chances)
    return replace(one, header=replace(one.header, sop_instance_uid=f"1.2.{number}"))


def test_the_best_images_of_each_class_are_kept(tmp_path: Path, decoded: Counter[str]) -> None:
    path = save(ct_slice(PixelData=bytes(FRAME_BYTES - 2) + b"\1\1"), tmp_path / "one.dcm")
    frame = decode_frame(path)
    kept = KeptFrames(replace(model(), classes=FOURTEEN_CLASSES[:2]))
    images = [seen(path, n, n / 20, 1 - n / 20) for n in range(20)]
    for one in images:
        kept.offer(one, frame)
    assert kept.nbytes == 6 * FRAME_BYTES
    for one in (*images[:3], *images[-3:]):
        kept.shown(one)
    assert not decoded
    kept.shown(images[10])
    assert decoded == {"one.dcm": 1}


def test_of_equal_images_the_first_are_kept(tmp_path: Path, decoded: Counter[str]) -> None:
    path = save(ct_slice(), tmp_path / "one.dcm")
    kept = KeptFrames(model())
    images = [seen(path, n, 0.5, 0.5) for n in range(9)]
    for one in images:
        kept.offer(one, decode_frame(path))
    for one in images[:3]:
        kept.shown(one)
    assert not decoded


def test_a_large_frame_is_kept_only_if_it_was_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_frames, "MAX_UNCOMPRESSED", FRAME_BYTES - 1)
    path = save(ct_slice(), tmp_path / "one.dcm")
    one = seen(path, 1, 0.5, 0.5)
    lossless = replace(one, header=replace(one.header, transfer_syntax_uid=JPEG2000Lossless))
    for image_of, kept_bytes in ((one, 0), (lossless, FRAME_BYTES)):
        kept = KeptFrames(model())
        kept.offer(image_of, decode_frame(path))
        assert kept.nbytes == kept_bytes


def test_no_more_bytes_are_kept_than_allowed(tmp_path: Path, decoded: Counter[str]) -> None:
    path = save(ct_slice(), tmp_path / "one.dcm")
    kept = KeptFrames(model(), limit=2 * FRAME_BYTES)
    images = [seen(path, n, 0, n / 4) for n in range(4)]
    for one in images:
        kept.offer(one, decode_frame(path))
        assert kept.nbytes <= 2 * FRAME_BYTES
    for one in images[2:]:
        kept.shown(one)
    assert not decoded


def coloured(levels: int, dtype: str) -> Dataset:
    """An image of three pixels: red, green, and a dark blue."""
    dark = (levels + 1) // 2
    pixels = np.array([[[levels, 0, 0], [0, levels, 0], [0, 0, dark]]], dtype)
    return ct_slice(
        *(1,),
        Rows=1,
        Columns=3,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
        BitsAllocated=8 * pixels.itemsize,
        BitsStored=levels.bit_length(),
        HighBit=levels.bit_length() - 1,
        PixelData=pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
    )


@pytest.mark.parametrize(("levels", "dtype"), [(255, "u1"), (63, "u1"), (4095, "<u2")])
@pytest.mark.parametrize("offered", [True, False])
def test_colours_are_shown_as_they_are(
    tmp_path: Path, levels: int, dtype: str, offered: bool
) -> None:
    path = save(coloured(levels, dtype), tmp_path / "one.dcm")
    kept, one = KeptFrames(model()), seen(path, 1, 0.5, 0.5)
    if offered:
        kept.offer(one, decode_frame(path))
    for _ in range(2):
        shown = np.asarray(kept.shown(one))
        assert shown.dtype == np.uint8
        assert shown.tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, pytest.approx(128, abs=2)]]]


def test_a_table_of_colours_is_shown_in_colour() -> None:
    path = Path(str(get_testdata_file("examples_palette.dcm", download=False)))
    shown = np.asarray(KeptFrames(model()).shown(seen(path, 1, 0.5, 0.5)))
    assert shown.dtype == np.uint8
    assert shown.shape[2] == 3
    assert np.ptp(shown.astype(int), axis=2).max() > 60
