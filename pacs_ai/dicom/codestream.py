"""The header of a compressed frame, read before a codec allocates memory for it."""

import struct
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.errors import UnsupportedPixels

JPEG_START = b"\xff\xd8\xff"
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  "
END = b"\xff\xd9"
"""End of image, and end of codestream: the same two bytes in every kind of JPEG."""

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_PROCESSES = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_APP0, _APP14 = 0xE0, 0xEE
_COD, _START_OF_TILE, _LOSSLESS_WAVELET = 0xFF52, 0xFF90, 1
_BLOCK_CODER, _HIGH_THROUGHPUT = 0xC0, 0x40
_RGB_IDS = (b"RGB", b"rgb")
_MAX_SEGMENTS, _TILE_HEAD = 15, 12


class Process(Enum):
    """How a frame is compressed: what chooses its codec."""

    DCT = "JPEG sequential"
    PROGRESSIVE = "JPEG progressive"
    LOSSLESS = "JPEG lossless"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"


_BY_MARKER = {
    0xC0: Process.DCT,
    0xC1: Process.DCT,
    0xC2: Process.PROGRESSIVE,
    0xC3: Process.LOSSLESS,
    0xF7: Process.JPEG_LS,
}


@dataclass(frozen=True, slots=True)
class Codestream:
    """The head of a compressed frame.

    Attributes
    ----------
    rows, columns, components, bits
        Size of the picture, its components, and bits a sample of them.
    process
        How it is compressed.
    signed
        JPEG 2000 tells; None for the others, which know no sign.
    reversible
        Whether its transform loses nothing. Of JPEG-LS its decoder tells.
    colour
        ``RGB`` or ``YBR`` where the codestream says which the components are, else "".
    body
        Where its entropy-coded data begin, in bytes.
    whole_scan
        Whether the first scan holds all components.
    high_throughput
        Whether JPEG 2000 uses the block coder of HTJ2K alone (ISO/IEC 15444-15).
    """

    rows: int
    columns: int
    components: int
    bits: int
    process: Process
    signed: bool | None = None
    reversible: bool = True
    colour: str = ""
    body: int = 0
    whole_scan: bool = True
    high_throughput: bool = False


def read_codestream(frame: bytes) -> Codestream:
    """Read the head of a JPEG, JPEG-LS or JPEG 2000 picture.

    Parameters
    ----------
    frame
        The whole compressed frame.

    Raises
    ------
    UnsupportedPixels
        If it is none of these, or ends before its data begin.

    Notes
    -----
    ISO/IEC 10918-1 Section B.2, 14495-1 Annex C, 15444-1 Sections A.5.1 and A.6.1.
    """
    try:
        if frame.startswith(JPEG_START[:2]):
            return _jpeg(frame)
        if frame.startswith(J2K_START):
            return _j2k(frame, 0)
        if frame.startswith(JP2_START) and (start := frame.find(J2K_START)) > 0:
            return _j2k(frame, start)
    except (struct.error, IndexError) as error:
        raise UnsupportedPixels("the compressed frame is cut off") from error
    raise UnsupportedPixels("the compressed frame does not begin as its transfer syntax says")


def check_codestream(stream: Codestream, layout: PixelLayout) -> None:
    """Compare the picture that a frame claims to be with the header.

    Raises
    ------
    UnsupportedPixels
        If they differ.
    """
    if (stream.rows, stream.columns) != (layout.rows, layout.columns):
        raise UnsupportedPixels("the compressed frame has other Rows and Columns")
    if stream.components != layout.samples or not 0 < stream.bits <= layout.bits_allocated:
        raise UnsupportedPixels("the compressed frame has other samples or bits")


def with_end(frame: bytes, stream: Codestream) -> bytes:
    """Give a JPEG 2000 frame the end it lacks, if it lacks nothing else.

    Raises
    ------
    UnsupportedPixels
        If its tile parts are not all there, or do not tell how long they are.
    """
    position = stream.body
    while frame[position : position + 2] == _START_OF_TILE.to_bytes(2):
        (length,) = struct.unpack_from(">I", frame.ljust(position + _TILE_HEAD), position + 6)
        if not _TILE_HEAD <= length <= len(frame) - position:
            raise UnsupportedPixels("the compressed frame is cut off")
        position += length
    return frame[:position] + END


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


def _jpeg(frame: bytes) -> Codestream:
    found: Codestream | None = None
    colour = ""
    position = 2
    while True:
        if frame[position] != 0xFF:  # noqa: PLR2004
            raise UnsupportedPixels("the JPEG frame has no legal marker where one must be")
        marker = frame[position + 1]
        position += 1 if marker == 0xFF else 2  # noqa: PLR2004  (a fill byte)
        if marker in _STANDALONE or marker == 0xFF:  # noqa: PLR2004
            continue
        (length,) = struct.unpack_from(">H", frame, position)
        segment = frame[position : position + max(2, length)]
        position += len(segment)
        if marker in _PROCESSES:
            found = _picture(marker, segment)
        elif marker == _START_OF_SCAN:
            return _scan(found, colour, segment, position)
        colour = _named_colour(marker, segment) or colour


def _picture(marker: int, segment: bytes) -> Codestream:
    bits, rows, columns, components = struct.unpack_from(">2x B H H B", segment)
    process = _BY_MARKER.get(marker)
    if process is None:
        raise UnsupportedPixels("this process of JPEG cannot be decoded")
    ids = bytes(segment[8 + 3 * component] for component in range(components))
    return Codestream(
        rows,
        columns,
        components,
        bits,
        process,
        reversible=process not in (Process.DCT, Process.PROGRESSIVE),
        colour="RGB" if ids in _RGB_IDS else "",
    )


def _scan(found: Codestream | None, colour: str, segment: bytes, position: int) -> Codestream:
    if found is None:
        raise UnsupportedPixels("the JPEG frame does not state its size")
    return replace(
        found,
        colour=(colour or found.colour) if found.components > 1 else "",
        body=position,
        whole_scan=segment[2] == found.components,
    )


def _named_colour(marker: int, segment: bytes) -> str:
    """Tell what a JFIF or an Adobe segment says of three components; Adobe goes first."""
    if marker == _APP14 and segment[2:7] == b"Adobe" and len(segment) > 13:  # noqa: PLR2004
        return "YBR" if segment[13] == 1 else "RGB"
    return "YBR" if marker == _APP0 and segment[2:6] == b"JFIF" else ""


class _CodingStyle(NamedTuple):
    """Default coding style: component transform, block coder, wavelet."""

    transformed: bool
    high_throughput: bool
    reversible: bool


def _j2k(frame: bytes, start: int) -> Codestream:
    right, bottom, left, top = struct.unpack_from(">4I", frame, start + 8)
    components, depth = struct.unpack_from(">H B", frame, start + 40)
    depths = {frame[start + 42 + 3 * component] for component in range(components)}
    if len(depths) > 1:
        raise UnsupportedPixels("the components of the compressed frame have different bits")
    style, position = _coding(frame, start)
    return Codestream(
        bottom - top,
        right - left,
        components,
        (depth & 0x7F) + 1,
        Process.JPEG_2000,
        signed=bool(depth & 0x80),
        reversible=style.reversible,
        colour="RGB" if style.transformed and components > 1 else "",
        body=position,
        high_throughput=style.high_throughput,
    )


def _coding(frame: bytes, start: int) -> tuple[_CodingStyle, int]:
    """Read the default coding style, and where data begin."""
    style = _CodingStyle(reversible=False, transformed=False, high_throughput=False)
    position = start + 2
    while True:
        marker, length = struct.unpack_from(">HH", frame, position)
        if marker == _START_OF_TILE:
            return style, position
        if marker == _COD:
            style = _CodingStyle(
                transformed=frame[position + 8] == 1,
                high_throughput=frame[position + 12] & _BLOCK_CODER == _HIGH_THROUGHPUT,
                reversible=frame[position + 13] == _LOSSLESS_WAVELET,
            )
        if marker == int.from_bytes(END) or marker < 0xFF00:  # noqa: PLR2004
            raise UnsupportedPixels("the JPEG 2000 frame has no data")
        position += 2 + length
