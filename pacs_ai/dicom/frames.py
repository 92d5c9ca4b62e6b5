"""Read the stored values of one frame of an open instance, in any transfer syntax."""

import os
import struct
from dataclasses import replace
from functools import partial
from typing import BinaryIO

import numpy as np

from pacs_ai.dicom.canonical import Frame, canonical
from pacs_ai.dicom.codecs import COMPRESSED, JPEG_2000_FAMILY, JPEG_XL_FAMILY, RLE, rle_segments
from pacs_ai.dicom.codestream import J2K_START, JP2_START, JPEG_START
from pacs_ai.dicom.fragments import (
    OffsetTable,
    Starts,
    frame_fragments,
    read_fragments,
    read_pieces,
)
from pacs_ai.dicom.isolated_decoding import decode_isolated
from pacs_ai.dicom.jpeg_xl import BOXED, NAKED
from pacs_ai.dicom.native import DEFLATED_FRAME, decode_native
from pacs_ai.dicom.part10 import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
)
from pacs_ai.dicom.pixel_layout import PixelLayout, Task
from pacs_ai.dicom.reading import UNDEFINED, Opened, PixelElement, value_of
from pacs_ai.errors import StorageError, UnsupportedPixels

UNCOMPRESSED = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
_BYTE, _WORD = 8, 2
_RLE_HEAD, _RLE_HEADER = struct.Struct("<II"), 64
_MAX_PADDING = 1024  # bytes; some writers pad to a block
_MAX_GROWTH, _MAX_EXTRA = 2, 1 << 24


def read_frame(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    """Decode one frame and no other.

    Parameters
    ----------
    opened
        The instance, its stream still open.
    layout
        Its checked shape.
    pixels
        Where its pixel data lie.
    frame
        Counts from 1.

    Raises
    ------
    UnsupportedPixels
        If there is no such frame, no codec for it, or the bytes contradict the shape.
    StorageError
        If this machine has no memory or no process for it.
    OSError
        If the stream cannot be read.
    """
    if not 1 <= frame <= layout.frames:
        raise UnsupportedPixels(f"frame {frame} asked for, the image has {layout.frames}")
    syntax = opened.transfer_syntax_uid
    if syntax in UNCOMPRESSED:
        return _uncompressed(opened, layout, pixels, frame)
    if syntax not in COMPRESSED and syntax != DEFLATED_FRAME:
        raise UnsupportedPixels("there is no codec for the transfer syntax, or it names none")
    pieces = _fragments(opened, layout, pixels, frame)
    return decode_isolated(Task(syntax, replace(layout, frames=1)), opened.stream, pieces)


def read_encoded(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> bytes:
    """Return the bytes of one compressed frame as stored; for the rest see `read_frame`."""
    if not 1 <= frame <= layout.frames:
        raise UnsupportedPixels(f"frame {frame} asked for, the image has {layout.frames}")
    pieces = _fragments(opened, layout, pixels, frame)
    data = _room(sum(length for _, length in pieces))
    read_pieces(data, opened.stream, pieces)
    return bytes(data)


def _uncompressed(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    """Read the samples from the bytes of the frame: no others are read."""
    stream, syntax = opened.stream, opened.transfer_syntax_uid
    _check_length(layout, pixels, _end(stream) - pixels.offset)
    first, last = ((frame - part) * layout.frame_bits for part in (1, 0))
    swapped = syntax == EXPLICIT_BIG and pixels.vr == "OW" and layout.bits_allocated <= _BYTE
    unit = _WORD if swapped else 1
    begin = first // _BYTE // unit * unit
    end = -(-last // (_BYTE * unit)) * unit
    skip = first - begin * _BYTE
    data = _room(end - begin)
    read_pieces(data, stream, [(pixels.offset + begin, end - begin)])
    decoded = decode_native(
        data,
        layout,
        order=">" if syntax == EXPLICIT_BIG else "<",
        swapped=swapped,
        skip=skip if layout.bits_allocated == 1 else skip // _BYTE,
    )
    return canonical(decoded, layout)


def _room(size: int) -> memoryview:
    try:
        return np.empty(size, dtype="u1").data
    except MemoryError as error:
        raise StorageError("there is no memory to read a frame") from error


def _check_length(layout: PixelLayout, pixels: PixelElement, available: int) -> None:
    """Compare the shape with the bytes there are, before anything is allocated for it."""
    length = available if pixels.length == UNDEFINED else min(pixels.length, available)
    expected = -(-layout.frame_bits * layout.frames // _BYTE)
    if length < expected:
        raise UnsupportedPixels(f"{length} bytes of pixel data, {expected} needed: truncated")
    if length > expected + _MAX_PADDING:
        raise UnsupportedPixels(f"{length} bytes of pixel data contradict the {expected} described")


def _fragments(
    opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int
) -> list[tuple[int, int]]:
    """Find the bytes of one compressed frame."""
    if pixels.length != UNDEFINED:
        raise UnsupportedPixels("compressed pixel data are not encapsulated")
    end = _end(opened.stream)
    table, found = read_fragments(opened.stream, pixels.offset, end)
    tables = [table]
    offsets, lengths = (
        value_of(opened.dataset, keyword)
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    )
    if isinstance(offsets, bytes) and isinstance(lengths, bytes):
        tables.insert(0, OffsetTable.unpacked(offsets, lengths, wide=True))
    starts = _starts(opened.transfer_syntax_uid, layout)
    group = frame_fragments(found, tables, layout.frames, starts)[frame - 1]
    if not group:
        raise UnsupportedPixels("the compressed frame is empty")
    if group[-1].offset + group[-1].length > end:
        raise UnsupportedPixels("the compressed frame is cut off")
    if sum(part.length for part in group) > _MAX_EXTRA + _MAX_GROWTH * layout.frame_bits // _BYTE:
        raise UnsupportedPixels("the compressed frame has far more bytes than it can need")
    return [(part.offset, part.length) for part in group]


def _starts(syntax: str, layout: PixelLayout) -> Starts | None:
    """Tell how a frame of a transfer syntax begins."""
    if syntax == DEFLATED_FRAME:
        return None
    if syntax == RLE:
        begins: tuple[bytes, ...] = (_RLE_HEAD.pack(rle_segments(layout), _RLE_HEADER),)
    elif syntax in JPEG_2000_FAMILY:
        begins = (J2K_START, JP2_START)
    else:
        begins = (NAKED, BOXED) if syntax in JPEG_XL_FAMILY else (JPEG_START,)
    return partial(_begins, begins=begins)


def _begins(head: bytes, begins: tuple[bytes, ...]) -> bool:
    return head.startswith(begins)


def _end(stream: BinaryIO) -> int:
    return stream.seek(0, os.SEEK_END)
