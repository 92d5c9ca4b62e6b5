"""The Image Pixel module of a header, read into a `PixelLayout` (PS3.3 Section C.7.6.3)."""

from pydicom.dataset import Dataset

from pacs_ai.dicom.pixel_layout import (
    COLOUR,
    GREY,
    MAX_PLANE_PIXELS,
    MAX_SIDE,
    PALETTE,
    PixelLayout,
)
from pacs_ai.dicom.reading import integer, numbers, text
from pacs_ai.errors import UnsupportedPixels

LAYOUT_KEYWORDS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
_BITS = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
_COLOUR_SAMPLES = 3


def read_layout(dataset: Dataset, keyword: str) -> PixelLayout:
    """Read the shape of the pixel data.

    Parameters
    ----------
    dataset
        Data set with the elements of `LAYOUT_KEYWORDS`.
    keyword
        ``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``.

    Raises
    ------
    UnsupportedPixels
        If an attribute is missing, illegal, or asks for a plane above `MAX_PLANE_PIXELS`.
    """
    rows, columns = integer(dataset, "Rows"), integer(dataset, "Columns")
    _require(0 < rows <= MAX_SIDE and 0 < columns <= MAX_SIDE, "Rows or Columns is not usable")
    _require(rows * columns <= MAX_PLANE_PIXELS, "the image is larger than is analysed")
    samples = integer(dataset, "SamplesPerPixel", 1)
    photometric = text(dataset, "PhotometricInterpretation")
    known = samples == 1 and (photometric in GREY or photometric == PALETTE)
    known = known or (samples == _COLOUR_SAMPLES and photometric in COLOUR)
    _require(known, "PhotometricInterpretation and SamplesPerPixel are not of a known kind")
    frames = _frames(dataset)
    allocated = integer(dataset, "BitsAllocated")
    _require(allocated in _BITS[keyword], f"BitsAllocated {allocated} is not usable")
    is_integer = keyword == "PixelData"
    stored = integer(dataset, "BitsStored") if is_integer else allocated
    _require(0 < stored <= allocated, f"BitsStored {stored} is not usable")
    high_bit = integer(dataset, "HighBit", stored - 1) if is_integer else stored - 1
    if not stored - 1 <= high_bit < allocated:
        high_bit = stored - 1
    sign = integer(dataset, "PixelRepresentation", -1) if is_integer else 1
    _require(sign in (0, 1), "PixelRepresentation is missing or not usable")
    _require(stored > 1 or sign == 0, "a single bit has no sign")
    return PixelLayout(
        keyword=keyword,
        rows=rows,
        columns=columns,
        samples=samples,
        photometric=photometric,
        planar=integer(dataset, "PlanarConfiguration") if samples > 1 else 0,
        frames=frames,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=bool(sign),
    )


def _frames(dataset: Dataset) -> int:
    if "NumberOfFrames" not in dataset:
        return 1
    values = numbers(dataset, "NumberOfFrames")
    frames = integer(dataset, "NumberOfFrames", 1 if not values else -1)
    _require(frames >= 0, "NumberOfFrames is not usable")
    # Writers of single images put 0 there; the length of the pixel data is checked all the same.
    return max(1, frames)


def _require(condition: bool, reason: str) -> None:  # noqa: FBT001
    if not condition:
        raise UnsupportedPixels(reason)
