"""Large frames of JPEG 2000, whose code blocks several threads decode."""

from typing import Any

import numpy as np
import pytest

from pacs_ai.dicom import codecs
from pacs_ai.dicom.codecs import decode_compressed
from pacs_ai.dicom.pixel_layout import PixelLayout
from tests.unit.dicom.encoders import jpeg_2000

SYNTAX = "1.2.840.10008.1.2.4.91"
SIDE = 1050


def layout(bits: int, *, signed: bool) -> PixelLayout:
    allocated = 8 if bits <= 8 else 16
    return PixelLayout(
        keyword="PixelData",
        rows=SIDE,
        columns=SIDE,
        samples=1,
        photometric="MONOCHROME2",
        planar=0,
        frames=1,
        bits_allocated=allocated,
        bits_stored=bits,
        high_bit=bits - 1,
        signed=signed,
    )


def samples(bits: int, *, signed: bool) -> Any:
    first = -(1 << (bits - 1)) if signed else 0
    drawn = np.random.default_rng(bits).integers(first, first + (1 << bits), (SIDE, SIDE))
    return drawn.astype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")


@pytest.mark.parametrize("options", [{}, {"compression_ratios": [8.0]}], ids=["lossless", "lossy"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_threads_change_no_value(
    monkeypatch: pytest.MonkeyPatch, bits: int, signed: bool, options: dict[str, Any]
) -> None:
    values, shape = samples(bits, signed=signed), layout(bits, signed=signed)
    assert shape.plane_pixels >= codecs._LARGE
    frame = jpeg_2000(**options)(values, bits)
    threaded = decode_compressed(SYNTAX, frame, shape)
    if not options:
        assert np.array_equal(threaded.values, values)
    monkeypatch.setattr(codecs, "_LARGE", 1 << 30)
    single = decode_compressed(SYNTAX, frame, shape)
    assert threaded.values.dtype == single.values.dtype
    assert np.array_equal(threaded.values, single.values)
