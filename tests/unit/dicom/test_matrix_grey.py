"""Every lossless codec, every number of bits, sign and use of the other bits: the same values."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.encoders import JPEG, Encoder, Samples, image, stored

SHAPE = (40, 48)
CELL = (8, 16, 32)
ENCODERS = (
    Encoder("implicit", encoders.IMPLICIT, encoders.little, CELL),
    Encoder("explicit", encoders.EXPLICIT, encoders.little, CELL),
    Encoder("big endian", encoders.BIG, encoders.big, CELL),
    Encoder("deflated", encoders.DEFLATED, encoders.little, CELL),
    Encoder("deflated frame", encoders.DEFLATED_FRAME, encoders.deflate, CELL),
    Encoder("RLE", encoders.RLE, encoders.rle, CELL),
    Encoder("JPEG lossless 4", f"{JPEG}57", encoders.lossless_jpeg(4)),
    Encoder("JPEG lossless 7", f"{JPEG}57", encoders.lossless_jpeg(7)),
    Encoder("JPEG lossless 1", f"{JPEG}70", encoders.lossless_jpeg(1)),
    Encoder("JPEG-LS", f"{JPEG}80", encoders.jpeg_ls()),
    Encoder("JPEG-LS of .81", f"{JPEG}81", encoders.jpeg_ls()),
    Encoder("JPEG 2000", f"{JPEG}90", encoders.jpeg_2000(), tuple(range(2, 25))),
    Encoder("JPEG 2000 signed", f"{JPEG}90", encoders.jpeg_2000(), tuple(range(2, 25)), True),
    Encoder("JPEG 2000 of .91", f"{JPEG}91", encoders.jpeg_2000()),
    Encoder("JP2", f"{JPEG}90", encoders.jpeg_2000(codec_format=1)),
    Encoder("HTJ2K", f"{JPEG}201", encoders.htj2k(), (8, 16)),
    Encoder("HTJ2K of 12 bits", f"{JPEG}201", encoders.htj2k_of_any_bits, (10, 12, 15)),
    Encoder("HTJ2K signed", f"{JPEG}202", encoders.htj2k_of_any_bits, (8, 12, 16), True),
    Encoder("HTJ2K of .203", f"{JPEG}203", encoders.htj2k(), (8, 16)),
    Encoder("JPEG XL", f"{JPEG}110", encoders.jpeg_xl(lossless=True), tuple(range(8, 17))),
    Encoder("boxed JPEG XL", f"{JPEG}110", encoders.jpeg_xl(lossless=True, usecontainer=True)),
)
DEPTHS = (
    (8, 8), (8, 7), (8, 5), (16, 16), (16, 13), (16, 12), (16, 8), (32, 32), (32, 24), (32, 17),
)  # fmt: skip
FORMS = ("stored", "stored, high", "extended", "overlay", "high")
"""What the codestream holds: the stored bits alone, or the whole cell they stand in."""


def cells() -> Iterator[tuple[Encoder, int, int, bool]]:
    for encoder in ENCODERS:
        for allocated, bits in DEPTHS:
            if any(stated in encoder.bits for stated in (allocated, bits)):
                yield encoder, allocated, bits, False
                yield encoder, allocated, bits, True


def forms(encoder: Encoder, allocated: int, bits: int) -> Iterator[tuple[str, int]]:
    for form in FORMS:
        stated = bits if form.startswith("stored") else allocated
        whole = stated == allocated or encoder.bits != CELL
        if stated in encoder.bits and whole and (form == "stored" or bits < allocated):
            yield form, stated


def values(bits: int, *, signed: bool) -> Samples:
    """A slope, its noise, and both ends of the range."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    slope = (x + y) / (sum(SHAPE) - 2) * ((1 << bits) - 1)
    noise = np.random.default_rng(bits).integers(0, 1 << max(1, bits - 4), SHAPE)
    ramp = np.clip(slope.astype(np.int64) + noise, 0, (1 << bits) - 1)
    ramp[0, 0], ramp[-1, -1] = 0, (1 << bits) - 1
    return ramp - (1 << (bits - 1)) if signed else ramp


def in_cell(wanted: Samples, allocated: int, bits: int, form: str) -> Samples:
    """Put values into cells: the stored bits where the form says, something in the others."""
    junk = np.random.default_rng(1).integers(0, 1 << (allocated - bits), SHAPE)
    pattern = wanted & ((1 << bits) - 1)
    if form == "overlay":
        return pattern | junk << bits
    if form == "high":
        return pattern << (allocated - bits) | junk
    return wanted & ((1 << allocated) - 1) if form == "extended" else pattern


def as_encoded(cell: Samples, stated: int, *, signed: bool) -> Samples:
    """Give samples the container that their bits need, with a sign where the encoder states one."""
    size = 1 if stated <= 8 else 2 if stated <= 16 else 4
    if signed:
        cell = np.where(cell >> (stated - 1), cell - (1 << stated), cell)
    return cell.astype(f"{'i' if signed else 'u'}{size}")


@pytest.mark.parametrize(
    ("encoder", "allocated", "bits", "signed"),
    [pytest.param(*cell, id="-".join(map(str, cell))) for cell in cells()],
)
def test_lossless_values_are_what_was_encoded(
    make: Make, encoder: Encoder, allocated: int, bits: int, signed: bool
) -> None:
    wanted = values(bits, signed=signed)
    for form, stated in forms(encoder, allocated, bits):
        sample = as_encoded(in_cell(wanted, allocated, bits, form), stated, signed=encoder.signed)
        path = image(
            make,
            encoder.syntax,
            [encoder.encode(sample, stated)],
            sample,
            BitsAllocated=allocated,
            BitsStored=bits,
            HighBit=allocated - 1 if "high" in form else bits - 1,
            PixelRepresentation=int(signed),
        )
        found = stored(path).values
        np.testing.assert_array_equal(found, wanted, err_msg=form)
        assert found.dtype == np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
