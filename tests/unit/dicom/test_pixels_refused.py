"""Pixels that contradict their description, or are damaged."""

import struct

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, StorageError, UnsupportedPixels
from tests.unit.dicom.luts import table


def bits(values, **more):
    return {"BitsAllocated": values, "BitsStored": values, "HighBit": values - 1, **more}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"Rows": 5}, "truncated"),
        ({"Columns": 0}, "Rows or Columns"),
        ({"Rows": None}, "Rows or Columns"),
        ({"Rows": 65535, "Columns": 65535}, "larger than"),
        ({"NumberOfFrames": 2}, "truncated"),
        ({"NumberOfFrames": 2_000_000_000}, "truncated"),
        ({"NumberOfFrames": -1}, "NumberOfFrames"),
        ({"BitsAllocated": 0}, "BitsAllocated 0"),
        ({"BitsAllocated": 12}, "BitsAllocated 12"),
        ({"BitsStored": 17}, "BitsStored 17"),
        ({"BitsStored": None}, "BitsStored 0"),
        ({"PixelRepresentation": None}, "PixelRepresentation"),
        ({"PhotometricInterpretation": "CMYK"}, "PhotometricInterpretation"),
        ({"SamplesPerPixel": 3}, "PhotometricInterpretation"),
        ({"PixelData": None}, "no pixel data"),
        ({"PixelData": b""}, "truncated"),
        ({"PixelData": bytes(4800)}, "contradict"),
        ({"RescaleSlope": 0, "RescaleIntercept": 0}, "slope"),
        ({"RescaleSlope": float("nan"), "RescaleIntercept": 0}, "slope"),
        ({"RescaleSlope": 1, "RescaleIntercept": float("inf")}, "intercept"),
        ({"VOILUTSequence": table(0, [1, 2], 0)}, "contradicts"),
        (bits(8, Rows=9), "truncated"),
    ],
)
def test_contradictions_are_refused(make, values, reason):
    with pytest.raises(UnsupportedPixels, match=reason):
        read_pixels(make(**values))


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("value", [b"1,5 ", b"abc ", b"\\ab ", b"1e99", b"nan "])
def test_a_number_that_cannot_be_read_is_not_taken_for_absent(make, keyword, value):
    """Pixels without their scale would be other pixels, and their score a guess."""
    path = make(**{"RescaleSlope": "1", "RescaleIntercept": "0", keyword: "7777"})
    assert path.read_bytes().count(b"7777") == 1
    path.write_bytes(path.read_bytes().replace(b"7777", value))
    with pytest.raises(UnsupportedPixels, match="not a usable number"):
        read_pixels(path)


def test_an_empty_number_is_as_good_as_none(make):
    path = make(RescaleSlope="7777", RescaleIntercept="0", WindowCenter="9", WindowWidth="9")
    path.write_bytes(path.read_bytes().replace(b"7777", b"    "))
    assert np.array_equal(read_pixels(path), read_pixels(make(WindowCenter="9", WindowWidth="9")))


def compressed(make, syntax, frames, **more):
    return make(syntax, PixelData=encapsulate(frames), **more)


TILE = b"\xff\x52\x00\x0c" + bytes(10) + b"\xff\x90\x00\x0a" + bytes(8)


def j2k(rows, columns, tile=b""):
    size = struct.pack(
        ">HHIIIIIIIIH3B", 41, 0, columns, rows, 0, 0, columns, rows, 0, 0, 1, 15, 1, 1
    )
    return b"\xff\x4f\xff\x51" + size + tile + b"\xff\xd9"


@pytest.mark.parametrize(
    ("syntax", "frame", "reason"),
    [
        (RLELossless, bytes(64), "RLE"),
        (RLELossless, struct.pack("<16I", 2, 64, 9999, *[0] * 13), "RLE"),
        (RLELossless, b"\x02\x00", "cut off"),
        (JPEG2000Lossless, b"no codestream at all", "does not begin"),
        (JPEG2000Lossless, j2k(60000, 60000, TILE), "other Rows"),
        (JPEG2000Lossless, j2k(4, 6)[:20], "cut off"),
        (JPEG2000Lossless, j2k(4, 6, TILE), "no codec could"),
        ("1.2.840.10008.1.2.4.100", b"\0\0", "no codec"),
    ],
)
def test_damaged_frames_are_refused(make, syntax, frame, reason):
    with pytest.raises(UnsupportedPixels, match=reason):
        read_pixels(compressed(make, syntax, [frame]))


def test_no_patient_data_in_any_message(make):
    with pytest.raises(UnsupportedPixels) as caught:
        read_pixels(make(RescaleSlope=0, RescaleIntercept=0))
    assert "CANARY" not in str(caught.value)


def test_what_is_no_dicom_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises((NotDicom, UnsupportedPixels)):
        read_pixels(path)
    with pytest.raises(StorageError):
        read_pixels(tmp_path / "none")
