"""The shape of pixel data as the header tells it, checked before anything is allocated."""

from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import UNDEFINED, PixelElement, integer, numbers, text
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
MAX_PLANE_PIXELS = 2**25
"""Pixels of one frame: the largest radiographs have 28 million; 128 MiB as float32."""

MAX_SIDE = 65535
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"})
_BITS = {"PixelData": (1, 8, 16, 32), "FloatPixelData": (32,), "DoubleFloatPixelData": (64,)}
_COLOUR_SAMPLES = 3
_MAX_PADDING = 1024  # bytes; some writers pad to a block


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Image Pixel module (PS3.3 Section C.7.6.3), every value checked to be legal by itself."""

    keyword: str
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def plane_pixels(self) -> int:
        """Pixels of one frame."""
        return self.rows * self.columns

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; YBR_FULL_422 halves the chroma samples."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.plane_pixels * samples * self.bits_allocated


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


def check_native_length(layout: PixelLayout, pixels: PixelElement, available: int) -> int:
    """Compare the shape with the bytes of uncompressed pixel data.

    Parameters
    ----------
    layout
        What the header says.
    pixels
        The element as declared.
    available
        Bytes from the start of its value to the end of the data.

    Returns
    -------
    int
        Length of the value in bytes.

    Raises
    ------
    UnsupportedPixels
        If there are fewer bytes than the shape needs, or so many more that it must be wrong.
    """
    length = available if pixels.length == UNDEFINED else min(pixels.length, available)
    expected = -(-layout.frame_bits * layout.frames // 8)
    if length < expected:
        raise UnsupportedPixels(f"{length} bytes of pixel data, {expected} needed: truncated")
    if length > expected + _MAX_PADDING:
        raise UnsupportedPixels(f"{length} bytes of pixel data contradict the {expected} described")
    return length


def _frames(dataset: Dataset) -> int:
    if "NumberOfFrames" not in dataset:
        return 1
    values = numbers(dataset, "NumberOfFrames")
    frames = integer(dataset, "NumberOfFrames", 1 if not values else 0)
    _require(frames > 0, "NumberOfFrames is not usable")
    return frames


def _require(condition: bool, reason: str) -> None:  # noqa: FBT001
    if not condition:
        raise UnsupportedPixels(reason)
