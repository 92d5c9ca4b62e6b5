"""One step after every decoder: from what a codec gives to the stored values of the header.

A codestream states its components, their number of bits, and whether they have a sign. The
header says what these bits mean: which of them are stored (Bits Stored, High Bit), and whether
the highest of them is a sign (PS3.5 Sections 8.1.1 and 8.2). What the two leave open is refused.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.pixel_layout import PALETTE, YBR, PixelLayout
from pacs_ai.errors import UnsupportedPixels

Stored = npt.NDArray[Any]
"""Values as stored: integers or floats of any width, (rows, columns) or (rows, columns, 3)."""

UNKNOWN_ERROR = -1
"""A lossy codec: the codestream does not state how large the error of a value may be."""

_LOSS_SHARE = 16
_BLOCK = 1 << 18  # pixels
_RED, _BLUE = 1.402, 1.772
_GREEN = (0.344136, 0.714136)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame as its codec gives it.

    Attributes
    ----------
    values
        Integers in a container of at least ``bits``, or floats; (rows, columns) or
        (rows, columns, 3).
    bits
        Bits a sample as the codestream counts them; bits allocated where it does not count.
    signed
        Whether the codec gives negative values. None: the codestream cannot tell a sign.
    error
        By how much a value may differ from the one encoded: 0 for a lossless codestream.
    colour
        ``RGB`` or ``YBR`` where the codestream says which the components are, else "".
    """

    values: Stored
    bits: int
    signed: bool | None = None
    error: int = 0
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """Stored values of one frame, and what they mean once decoded; colour is always RGB."""

    values: Stored
    photometric: str


def canonical(decoded: Decoded, layout: PixelLayout) -> Frame:
    """Take the stored values out of what a codec gave.

    Parameters
    ----------
    decoded
        The frame as decoded.
    layout
        What the header says of it.

    Returns
    -------
    Frame
        Values of the header's range and sign: unused bits cleared (or filled with the sign).

    Raises
    ------
    UnsupportedPixels
        If codestream and header cannot both be right, or leave open which values are meant.
    """
    if decoded.values.dtype.kind == "f":
        return Frame(decoded.values, layout.photometric)
    if decoded.error and layout.photometric == PALETTE:
        raise UnsupportedPixels("indices of a palette were compressed with loss")
    if decoded.error == UNKNOWN_ERROR and decoded.signed is None and layout.signed:
        raise UnsupportedPixels("values with a sign were compressed with loss, as if they had none")
    values = _stored(decoded, layout)
    if layout.samples == 1:
        return Frame(values, layout.photometric)
    if layout.signed or decoded.bits < layout.bits_stored:
        raise UnsupportedPixels("colour with a sign, or of fewer bits than the header states")
    return Frame(_rgb(values, decoded.colour, layout), "RGB")


def _stored(decoded: Decoded, layout: PixelLayout) -> Stored:
    bits, high, stored = decoded.bits, layout.high_bit, layout.bits_stored
    if bits > high:
        values = _field(_rounded(decoded, layout), high - stored + 1, layout)
    elif bits == stored:
        values = _field(_rounded(decoded, layout), 0, layout)
    elif bits < stored and high == stored - 1:
        values = _narrow(decoded, layout)
    else:
        raise UnsupportedPixels(
            f"the codestream has {bits} bits a sample, the header {stored} below bit {high}"
        )
    kind, size = "i" if layout.signed else "u", max(1, layout.bits_allocated // 8)
    return values.astype(f"={kind}{size}", copy=False)


def _field(values: Stored, low: int, layout: PixelLayout) -> Stored:
    """Take the stored bits from ``low`` on and ignore the bits around them."""
    width, stored = 8 * values.dtype.itemsize, layout.bits_stored
    shifted: Stored = values.view(f"{'i' if layout.signed else 'u'}{values.dtype.itemsize}")
    if stored == width:
        return shifted
    if low == 0:
        least, most = _range(layout)
        if least <= int(values.min()) and int(values.max()) <= most:
            return values
    shifted = shifted << (width - low - stored)
    shifted >>= width - stored
    return shifted


def _narrow(decoded: Decoded, layout: PixelLayout) -> Stored:
    """Take values of a codestream that has fewer bits than the header: they are whole as such."""
    values, signed = decoded.values, decoded.signed
    if signed is False and layout.signed and int(values.max()) >= 1 << (decoded.bits - 1):
        raise UnsupportedPixels("the codestream has no sign and fewer bits than the header")
    if signed and not layout.signed and int(values.min()) < 0:
        raise UnsupportedPixels("the codestream has negative values, the header has none")
    return values


def _rounded(decoded: Decoded, layout: PixelLayout) -> Stored:
    """Bring back what loss carried over the stored range: it would wrap to the other end."""
    values, stored = decoded.values, layout.bits_stored
    if not decoded.error or layout.high_bit != stored - 1:
        return values
    near = (1 << stored) // _LOSS_SHARE if decoded.error < 0 else decoded.error
    if layout.signed and not decoded.signed:
        return _unwrapped(values, decoded.bits, near, layout)
    least, most = _range(layout)
    lowest, highest = int(values.min()), int(values.max())
    if lowest < least - near or highest > most + near:
        raise UnsupportedPixels("bits above the stored ones were compressed with loss")
    return values if least <= lowest and highest <= most else np.clip(values, least, most)


def _unwrapped(values: Stored, bits: int, near: int, layout: PixelLayout) -> Stored:
    """Give the values of a codestream without sign theirs, unless loss may have turned it."""
    width = 8 * values.dtype.itemsize
    signed: Stored = values.view(f"i{values.dtype.itemsize}") << (width - bits)
    signed >>= width - bits
    least, most = _range(layout)
    if int(signed.min()) < least + near or int(signed.max()) > most - near:
        raise UnsupportedPixels("loss may have turned the sign of values near the end of the range")
    return signed


def _range(layout: PixelLayout) -> tuple[int, int]:
    bits = layout.bits_stored - layout.signed
    return (-(1 << bits) if layout.signed else 0), (1 << bits) - 1


def _rgb(values: Stored, colour: str, layout: PixelLayout) -> Stored:
    if not colour and layout.photometric not in (*YBR, "RGB"):
        raise UnsupportedPixels(f"{layout.photometric} is of no use without its codestream")
    if colour == "RGB" or (not colour and layout.photometric == "RGB"):
        return values
    rgb = np.empty(values.shape, dtype=values.dtype)
    rows = max(1, _BLOCK // layout.columns)
    for start in range(0, layout.rows, rows):
        part = slice(start, start + rows)
        _convert(values[part], rgb[part], layout.bits_stored)
    return rgb


def _convert(values: Stored, rgb: Stored, bits: int) -> None:
    """Write a few rows of YBR as RGB: all at once would take five copies in floats."""
    middle, most = 1 << (bits - 1), (1 << bits) - 1
    luma = values[..., 0].astype(np.float32)
    blue, red = (values[..., channel].astype(np.float32) - middle for channel in (1, 2))
    for channel, part in enumerate(
        (luma + _RED * red, luma - _GREEN[0] * blue - _GREEN[1] * red, luma + _BLUE * blue)
    ):
        np.rint(part, out=part)
        rgb[..., channel] = np.clip(part, 0, most, out=part)
