"""One decoded frame gives every picture, and stays as it was decoded."""

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
)

from pacs_ai.dicom import grey_rows
from pacs_ai.dicom.pixels import decode_frame, read_image, render_frame
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom.luts import table, words

BYTE = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
COLOURS = ("Red", "Green", "Blue")
RGB = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
INDICES = np.arange(24, dtype=np.uint8) % 4
MODEL = {"CT": (10.0, 21.0), "MR": (3.0, 9.0)}
TABLES = {
    name: value
    for number, colour in enumerate(COLOURS)
    for name, value in (
        (f"{colour}PaletteColorLookupTableDescriptor", [4, 0, 8]),
        (f"{colour}PaletteColorLookupTableData", bytes([0, 50 + number, 100, 255])),
    )
}
KINDS = {
    "window": {"WindowCenter": 10, "WindowWidth": 20},
    "sigmoid": {"WindowCenter": 10, "WindowWidth": 20, "VOILUTFunction": "SIGMOID"},
    "units": {"RescaleSlope": 2, "RescaleIntercept": -10, "RescaleType": "HU"},
    "stretched": {"Modality": "MR", "PixelPaddingValue": 0},
    "inverted": {"Modality": "MR", "PhotometricInterpretation": "MONOCHROME1"},
    "tables": {"ModalityLUTSequence": table(2, [1, 5, 9], 16),
               "VOILUTSequence": table(1, np.arange(9) * 8000, 16)},
    "wide": {"PixelData": words(np.arange(12, dtype="<i4") * 70000), "Rows": 2, "BitsAllocated": 32,
             "BitsStored": 32, "HighBit": 31, "Modality": "MR"},
    "colour": {**BYTE, "PixelData": words(RGB), "SamplesPerPixel": 3, "PlanarConfiguration": 0,
               "PhotometricInterpretation": "RGB"},
    "palette": {**BYTE, **TABLES, "PixelData": words(INDICES),
                "PhotometricInterpretation": "PALETTE COLOR"},
}  # fmt: skip


@pytest.mark.parametrize("windows", [None, MODEL])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_one_decoded_frame_are_those_of_the_file(make, kind, windows):
    path = make(**KINDS[kind])
    decoded = decode_frame(path)
    decoded.values.setflags(write=False)
    for strict in (True, False, True):
        once, again = render_frame(decoded, windows, strict=strict), read_image(path, 1, windows)
        assert once.grey.tobytes() == again.grey.tobytes()
        assert once.reservations == again.reservations
        assert not np.shares_memory(once.grey, decoded.values)


@pytest.mark.parametrize("windows", [None, MODEL])
@pytest.mark.parametrize("kind", KINDS)
def test_a_large_picture_is_computed_strip_by_strip_with_the_same_values(
    make, kind, windows, monkeypatch
):
    decoded = decode_frame(make(**KINDS[kind]))
    at_once = render_frame(decoded, windows)
    monkeypatch.setattr(grey_rows, "STRIP", 7)
    by_strips = render_frame(decoded, windows)
    assert by_strips.rows.curve is not None
    assert len(list(grey_rows.strips(by_strips.rows))) == decoded.layout.rows
    assert by_strips.grey.tobytes() == at_once.grey.tobytes()
    assert by_strips.reservations == at_once.reservations


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_values_are_those_stored(make, syntax):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    stored = np.arange(24).reshape(4, 6)
    decoded = decode_frame(make(syntax, PixelData=words(stored.astype(f"{order}i2"))))
    np.testing.assert_array_equal(decoded.values, stored)
    assert decoded.nbytes == stored.size * 2


def test_what_collapses_is_decoded_all_the_same(make):
    path = make(Modality="MR", VOILUTSequence=table(0, [7] * 24, 16))
    decoded = decode_frame(path)
    with pytest.raises(UnsupportedPixels, match="collapses"):
        render_frame(decoded)
    assert render_frame(decoded, strict=False).grey.any()
