"""Padding and palettes, whose sign stands in Pixel Representation, beside the rules of PS3.3."""

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.header import read_facts
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.us_or_ss import us_or_ss
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.ramps import (
    BYTES,
    SIGNED,
    SIXTEEN,
    SYNTAXES,
    TWELVE,
    Floats,
    Values,
    as_words,
    descriptor,
    ramp,
    stretched,
    word,
)

written = pytest.mark.parametrize(
    ("syntax", "vr"), [(syntax, vr) for syntax in SYNTAXES for vr in ("US", "SS")]
)
LUMA = (0.299, 0.587, 0.114)


def close(grey: object, expected: Floats) -> None:
    np.testing.assert_allclose(np.asarray(grey), expected, atol=1e-5)


def padded(stored: Values, value: float) -> Values:
    made = stored.copy()
    made[:16] = value
    return made


@written
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    "case",
    [
        (SIGNED, -2000, None),
        (SIGNED, -32768, -2049),
        (SIGNED, -2049, -32768),
        (SIXTEEN, 65535, None),
        (SIXTEEN, 64000, 65535),
        (TWELVE, 0, None),
        (TWELVE, 4095, None),
        (BYTES, 255, None),
    ],
)
def test_padding_is_left_out_of_the_percentiles(
    make: Make,
    syntax: str,
    vr: str,
    photometric: str,
    case: tuple[Values, int, int | None],
) -> None:
    stored, value, limit = case
    values = padded(stored, value)
    said = {"PixelPaddingValue": word("PixelPaddingValue", value, vr)}
    if limit is not None:
        said["PixelPaddingRangeLimit"] = word("PixelPaddingRangeLimit", limit, vr)
    path = ramp(make, values, syntax, PhotometricInterpretation=photometric, **said)
    low, high = sorted((value, value if limit is None else limit))
    expected = stretched(values, values[(values < low) | (values > high)])
    close(read_pixels(path), 1 - expected if photometric == "MONOCHROME1" else expected)


def test_padding_of_twelve_bits_has_the_sign_of_its_pixels(make: Make) -> None:
    """Some writers leave the four bits above the sign empty, in the pixels and in the value."""
    values = padded(SIGNED, -2000)
    pixels = (values & 0x0FFF).astype("u2").tobytes()
    twelve = {"BitsStored": 12, "HighBit": 11, "PixelData": pixels}
    expected = stretched(values, values[16:])
    for bits in (-2000 & 0x0FFF, -2000):
        said = word("PixelPaddingValue", bits, "US")
        close(read_pixels(ramp(make, values, **twelve, PixelPaddingValue=said)), expected)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("kind", "prefix"), [("f4", "Float"), ("f8", "DoubleFloat")])
@pytest.mark.parametrize(("value", "limit"), [(-1e30, None), (-1e30, -5e29), (-7.5, None)])
def test_padding_of_floats(
    make: Make, syntax: str, kind: str, prefix: str, value: float, limit: float | None
) -> None:
    values = padded(TWELVE.astype(kind), value)
    values[1] = value if limit is None else limit
    said = {f"{prefix}PixelPaddingValue": value}
    if limit is not None:
        said[f"{prefix}PixelPaddingRangeLimit"] = limit
    grey = read_pixels(ramp(make, values, syntax, **said))
    low, high = np.percentile(values[16:], (1, 99))
    close(grey, np.clip((values.astype("f8") - low) / (high - low), 0, 1))


def test_padding_that_is_all_there_is_hides_nothing(make: Make) -> None:
    path = ramp(make, TWELVE, PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    close(read_pixels(path), stretched(TWELVE))


def palette(
    tables: npt.NDArray[np.generic], first: int, bits: int, vr: str, syntax: str
) -> dict[str, object]:
    made = Dataset()
    for colour, entries in zip(("Red", "Green", "Blue"), tables, strict=True):
        name = f"{colour}PaletteColorLookupTable"
        descriptor(made, f"{name}Descriptor", (len(entries), first, bits), vr)
        made.add(DataElement(Tag(f"{name}Data"), "OW", as_words(entries, syntax)))
    return {"PhotometricInterpretation": "PALETTE COLOR"} | {
        element.keyword: element for element in made
    }


RAINBOW = np.stack([np.arange(256), np.arange(256)[::-1], np.arange(256) ** 2 // 256])


@written
@pytest.mark.parametrize(
    ("stored", "first"), [(BYTES, 0), (BYTES, 3), ((BYTES.astype("i2") - 128).astype("i1"), -128)]
)
@pytest.mark.parametrize("form", [("u1", 8, 1), ("u2", 8, 1), ("u2", 16, 257), ("u2", 16, 1)])
def test_a_palette(
    make: Make,
    syntax: str,
    vr: str,
    stored: Values,
    first: int,
    form: tuple[str, int, int],
) -> None:
    """C.7.6.3.1.5; words that hold bytes are scaled as bytes."""
    kind, bits, factor = form
    tables = (RAINBOW * factor).astype(kind)
    path = ramp(make, stored, syntax, **palette(tables, first, bits, vr, syntax))
    index = np.clip(stored.astype(int) - first, 0, 255)
    expected = sum(part * RAINBOW[n][index] for n, part in enumerate(LUMA)) / 255
    close(read_pixels(path), np.asarray(expected))


def test_a_palette_that_shows_nothing_is_refused(make: Make) -> None:
    flat = np.full((3, 256), 9, dtype="u1")
    with pytest.raises(UnsupportedPixels, match="collapses"):
        read_pixels(ramp(make, BYTES, **palette(flat, 0, 8, "US", SYNTAXES[1])))


@written
@pytest.mark.parametrize(("stored", "value"), [(SIGNED, -2000), (SIXTEEN, 63536)])
@pytest.mark.parametrize("keyword", ["SmallestImagePixelValue", "PixelPaddingValue"])
def test_rules_match_on_the_value_with_its_sign(
    make: Make, syntax: str, vr: str, keyword: str, stored: Values, value: int
) -> None:
    path = ramp(make, stored, syntax, **{keyword: word(keyword, value, vr)})
    assert read_facts(path, [keyword]) == {keyword: str(value)}


@pytest.mark.parametrize("missing", ["Descriptor", "Data"])
def test_half_a_palette_is_refused(make: Make, missing: str) -> None:
    said = palette(RAINBOW.astype("u1"), 0, 8, "US", SYNTAXES[1])
    del said[f"GreenPaletteColorLookupTable{missing}"]
    with pytest.raises(UnsupportedPixels):
        read_pixels(ramp(make, BYTES, **said))


@pytest.mark.parametrize("vr", ["US", "SS", "OW", "UN"])
@pytest.mark.parametrize("value", [0, 1, 32767, -1, -32768])
def test_only_the_bits_of_an_element_count(vr: str, value: int) -> None:
    element = word("SmallestImagePixelValue", value, "US" if vr in ("OW", "UN") else vr)
    if vr in ("OW", "UN"):
        data = int(element.value).to_bytes(2, "little")
        element = DataElement(element.tag, vr, data)
    dataset = Dataset()
    dataset.add(element)
    assert us_or_ss(dataset, "SmallestImagePixelValue", signed=True) == (value,)
    assert us_or_ss(dataset, "SmallestImagePixelValue", signed=False) == (value & 0xFFFF,)
    assert us_or_ss(dataset, "LargestImagePixelValue", signed=True) == ()
