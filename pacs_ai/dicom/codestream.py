"""The picture size that a compressed frame claims, read before a codec allocates for it."""

import struct
from dataclasses import dataclass

from pacs_ai.dicom.layout import PixelLayout
from pacs_ai.errors import UnsupportedPixels

_JPEG_START = b"\xff\xd8"
_J2K_START = b"\xff\x4f\xff\x51"
_JP2_START = b"\x00\x00\x00\x0cjP  "
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_MAX_SEGMENTS = 15


@dataclass(frozen=True, slots=True)
class CodestreamSize:
    """Rows, columns, components and bits a component of a compressed picture."""

    rows: int
    columns: int
    components: int
    bits: int


def codestream_size(frame: bytes) -> CodestreamSize:
    """Read the size of a JPEG, JPEG-LS or JPEG 2000 picture.

    Parameters
    ----------
    frame
        The whole compressed frame.

    Raises
    ------
    UnsupportedPixels
        If it is none of these, or ends before it tells its size.

    Notes
    -----
    ISO/IEC 10918-1 Section B.2.2, 14495-1 Annex C, 15444-1 Section A.5.1.
    """
    try:
        if frame.startswith(_JPEG_START):
            return _jpeg(frame)
        if frame.startswith(_J2K_START):
            return _j2k(frame, 0)
        if frame.startswith(_JP2_START) and (start := frame.find(_J2K_START)) > 0:
            return _j2k(frame, start)
    except (struct.error, IndexError) as error:
        raise UnsupportedPixels("the compressed frame is cut off") from error
    raise UnsupportedPixels("the compressed frame does not begin as its transfer syntax says")


def check_codestream(frame: bytes, layout: PixelLayout) -> None:
    """Compare the picture that a frame claims to be with the header.

    Raises
    ------
    UnsupportedPixels
        If they differ, or the frame does not tell.
    """
    size = codestream_size(frame)
    if (size.rows, size.columns) != (layout.rows, layout.columns):
        raise UnsupportedPixels("the compressed frame has other Rows and Columns")
    if size.components != layout.samples or size.bits > layout.bits_allocated:
        raise UnsupportedPixels("the compressed frame has other samples or bits")


def check_rle(frame: bytes, segments: int) -> None:
    """Check the header of an RLE frame (PS3.5 Section G.5): segments as many as byte planes.

    Raises
    ------
    UnsupportedPixels
        If the number or an offset cannot be right.
    """
    if len(frame) < 4 * (_MAX_SEGMENTS + 1):
        raise UnsupportedPixels("the RLE frame is cut off")
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != segments or any(offset > len(frame) for offset in offsets[:count]):
        raise UnsupportedPixels("the RLE header contradicts the image")


def _jpeg(frame: bytes) -> CodestreamSize:
    position = len(_JPEG_START)
    while True:
        if frame[position] != 0xFF:  # noqa: PLR2004
            raise UnsupportedPixels("the JPEG frame has no legal marker where one must be")
        marker = frame[position + 1]
        if marker == 0xFF:  # noqa: PLR2004  (a fill byte)
            position += 1
            continue
        position += 2
        if marker in _STANDALONE:
            continue
        if marker in _START_OF_FRAME:
            bits, rows, columns, components = struct.unpack_from(">2x B H H B", frame, position)
            return CodestreamSize(rows, columns, components, bits)
        if marker == _START_OF_SCAN:
            raise UnsupportedPixels("the JPEG frame does not tell its size")
        (length,) = struct.unpack_from(">H", frame, position)
        position += max(2, length)


def _j2k(frame: bytes, start: int) -> CodestreamSize:
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    components, depth = struct.unpack_from(">H B", frame, start + 40)
    return CodestreamSize(bottom - top, right - left, components, (depth & 0x7F) + 1)
