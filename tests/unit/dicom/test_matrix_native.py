"""Frames of uncompressed data that begin anywhere: at odd bytes, in the middle of a byte."""

import numpy as np
import pytest

from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.encoders import Samples, image, items, rle, stored

COUNT = 3
ODD = (5, 7)
ORDERS = (encoders.IMPLICIT, encoders.EXPLICIT, encoders.BIG, encoders.DEFLATED)


def movie(kind: str) -> Samples:
    info = np.iinfo(kind)
    return np.random.default_rng(5).integers(info.min, info.max, (COUNT, *ODD), kind, endpoint=True)


def bytes_in_words(data: bytes) -> bytes:
    return np.frombuffer(data + b"\0" * (len(data) % 2), dtype="u2").byteswap().tobytes()


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("syntax", ORDERS)
def test_frames_of_an_odd_size(make: Make, syntax: str, kind: str) -> None:
    frames = movie(kind)
    data = frames.astype(f"{'>' if syntax == encoders.BIG else '<'}{kind}").tobytes()
    if syntax == encoders.BIG and kind.endswith("1"):
        data = bytes_in_words(data)
    path = image(make, syntax, [data], frames[0], NumberOfFrames=COUNT)
    for number, frame in enumerate(frames, 1):
        np.testing.assert_array_equal(stored(path, number).values, frame)


@pytest.mark.parametrize("syntax", [*ORDERS, encoders.RLE, encoders.DEFLATED_FRAME])
def test_frames_of_single_bits(make: Make, syntax: str) -> None:
    """Frames follow one another without a gap; in items each begins with its own byte."""
    frames = movie("u1") & 1
    single = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": COUNT}
    if syntax in ORDERS:
        data = np.packbits(frames, bitorder="little").tobytes()
        data = bytes_in_words(data) if syntax == encoders.BIG else data
    else:
        alone = [np.packbits(frame, bitorder="little")[None] for frame in frames]
        encode = rle if syntax == encoders.RLE else encoders.deflate
        coded = [encode(frame, 8) for frame in alone]
        data = items(*(part + b"\0" * (len(part) % 2) for part in coded))
    path = image(make, syntax, [], frames[0], PixelData=data, **single)
    for number, frame in enumerate(frames, 1):
        np.testing.assert_array_equal(stored(path, number).values, frame)


def test_zero_frames_are_one(make: Make) -> None:
    frames = movie("u2")
    path = image(make, encoders.EXPLICIT, [frames[0].tobytes()], frames[0], NumberOfFrames=0)
    np.testing.assert_array_equal(stored(path).values, frames[0])
    several = image(make, encoders.EXPLICIT, [bytes(9600)], frames[0], NumberOfFrames=0)
    with pytest.raises(UnsupportedPixels, match="contradict"):
        stored(several)


def test_a_single_bit_has_no_sign(make: Make) -> None:
    frame = movie("u1")[0]
    single = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelRepresentation": 1}
    path = image(make, encoders.EXPLICIT, [], frame, PixelData=bytes(6), **single)
    with pytest.raises(UnsupportedPixels, match="no sign"):
        stored(path)
