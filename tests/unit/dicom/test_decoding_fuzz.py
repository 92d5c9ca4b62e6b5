"""Damaged frames of every codec, several at the same time, with a sound one among them.

Whatever a codec does of a damaged frame, a picture comes out or a refusal; and the sound frame,
which another thread decodes meanwhile, has the values that were encoded.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.dicom import decoding_child
from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.codecs import COMPRESSED
from pacs_ai.dicom.isolated_decoding import decode_isolated, pool
from pacs_ai.dicom.native import DEFLATED_FRAME
from pacs_ai.dicom.pixel_layout import PixelLayout, Task
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels
from tests.fuzz.effort import FUZZ
from tests.unit.dicom import encoders
from tests.unit.dicom.encoders import JPEG, Encode

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(36_000)]

SHAPE = (40, 48)
SLOPE = np.add.outer(np.arange(SHAPE[0]), np.arange(SHAPE[1])) * 40
CODECS: dict[str, tuple[str, Encode, int]] = {
    "RLE": (encoders.RLE, encoders.rle, 16),
    "deflated frame": (DEFLATED_FRAME, encoders.deflate, 16),
    "baseline": (f"{JPEG}50", encoders.pillow(), 8),
    "extended": (f"{JPEG}51", encoders.extended, 12),
    "progressive": (f"{JPEG}55", encoders.pillow(progressive=True), 8),
    "JPEG lossless 4": (f"{JPEG}57", encoders.lossless_jpeg(4), 12),
    "JPEG lossless 1": (f"{JPEG}70", encoders.lossless_jpeg(1), 16),
    "JPEG-LS": (f"{JPEG}80", encoders.jpeg_ls(), 12),
    "near-lossless": (f"{JPEG}81", encoders.jpeg_ls(2), 12),
    "JPEG 2000": (f"{JPEG}90", encoders.jpeg_2000(), 16),
    "HTJ2K": (f"{JPEG}201", encoders.htj2k(), 16),
    "lossy HTJ2K": (f"{JPEG}203", encoders.htj2k(reversible=False, level=0.001), 16),
    "JPEG XL": (f"{JPEG}110", encoders.jpeg_xl(lossless=True), 16),
    "lossy JPEG XL": (f"{JPEG}112", encoders.jpeg_xl(distance=0.5), 8),
}


def encoded(name: str) -> tuple[Task, bytes]:
    syntax, encode, bits = CODECS[name]
    size = 8 if bits == 8 else 16
    samples = (SLOPE >> (12 - min(bits, 12))).astype(f"u{size // 8}")
    layout = PixelLayout(
        "PixelData", *SHAPE, 1, "MONOCHROME2", 0, 1, size, bits, bits - 1, signed=False
    )
    return Task(syntax, layout), encode(samples, bits)


FRAMES = {name: encoded(name) for name in CODECS}
SOUND, SOUND_FRAME = FRAMES["JPEG lossless 1"]
places = st.integers(0, 1 << 20)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("set"), places, st.integers(0, 255)),
        st.tuples(st.just("cut"), places, st.integers(1, 2000)),
        st.tuples(st.just("repeat"), places, st.integers(1, 200)),
    ),
    min_size=1,
    max_size=6,
)
damaged = st.tuples(st.sampled_from(sorted(CODECS)), changes)


def apply(frame: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    data = bytearray(frame)
    for kind, place, value in edits:
        at = place % max(1, len(data))
        if kind == "set":
            data[at : at + 1] = bytes([value])
        elif kind == "cut":
            del data[at : at + value]
        else:
            data[at:at] = data[at : at + value]
    return bytes(data) or b"\0"


def decode(task: Task, frame: bytes) -> Frame | None:
    try:
        return decode_isolated(task, BytesIO(frame), [(0, len(frame))])
    except UnsupportedPixels:
        return None


@pytest.fixture(scope="module", autouse=True)
def short_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding_child, "SECONDS", 5)
        yield
    pool.stop()


def test_every_codec_has_a_sound_frame() -> None:
    assert {task.syntax for task, _ in FRAMES.values()} <= COMPRESSED | {DEFLATED_FRAME}
    assert all(decode(*frame) for frame in FRAMES.values())


@FUZZ
@given(st.lists(damaged, min_size=2, max_size=4))
def test_damage_concerns_the_damaged_frame_only(several: list[tuple[str, list]]) -> None:
    with ThreadPoolExecutor(len(several) + 1) as threads:
        found = [
            threads.submit(decode, FRAMES[name][0], apply(FRAMES[name][1], edits))
            for name, edits in several
        ]
        sound = threads.submit(decode, SOUND, SOUND_FRAME).result()
        frames = [one.result() for one in found]
    assert sound is not None
    np.testing.assert_array_equal(sound.values, SLOPE)
    assert all(frame is None or frame.values.shape == SHAPE for frame in frames)


@pytest.mark.parametrize("syntax", sorted(COMPRESSED))
def test_damaged_files_raise_nothing_else(
    corpus: list[tuple[Path, dict[str, str]]], tmp_path: Path, syntax: str
) -> None:
    small = [path for path, row in corpus if row["transfer_syntax"] == syntax]
    small = sorted(small, key=lambda path: path.stat().st_size)[:2]
    for number, source in enumerate(small * 3):
        generator = np.random.default_rng(number)
        data = bytearray(source.read_bytes())
        for position in generator.integers(len(data) // 3, len(data), 1 + 5 * number):
            data[position] = int(generator.integers(256))
        path = tmp_path / "damaged.dcm"
        path.write_bytes(bytes(data))
        try:
            grey = read_pixels(path)
        except (UnsupportedPixels, NotDicom):
            continue
        assert np.isfinite(grey).all()
