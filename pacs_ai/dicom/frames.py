"""From bytes to the stored values of one frame, whatever the transfer syntax."""

import mmap
import zlib
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import numpy as np
from pydicom.encaps import get_frame

from pacs_ai.dicom.codecs import (
    PLUGINS,
    RLE,
    Frame,
    Stored,
    check_compressed,
    decode_compressed,
    decode_value,
)
from pacs_ai.dicom.isolated import decode_isolated
from pacs_ai.dicom.layout import PixelLayout, check_native_length
from pacs_ai.dicom.part10 import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
)
from pacs_ai.dicom.reading import UNDEFINED, Opened, PixelElement, value_of
from pacs_ai.errors import UnsupportedPixels

DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
_BYTE = 8
_NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})


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
        If there is no such frame, no codec for it, or the bytes contradict the shape. What the
        codecs below raise comes as it is, one of ``FOREIGN_ERRORS``.
    """
    if not 1 <= frame <= layout.frames:
        raise UnsupportedPixels(f"frame {frame} asked for, the image has {layout.frames}")
    syntax = opened.transfer_syntax_uid
    if syntax in _NATIVE:
        return _native(opened, layout, pixels, frame)
    if syntax == DEFLATED_FRAME:
        return _deflated_frame(opened, layout, pixels, frame)
    if syntax not in PLUGINS:
        raise UnsupportedPixels("there is no codec for the transfer syntax, or it names none")
    return _compressed(opened, layout, pixels, frame)


def _native(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    data = _view(opened.stream)
    length = check_native_length(layout, pixels, len(data) - pixels.offset)
    value = data[pixels.offset : pixels.offset + length]
    big = opened.transfer_syntax_uid == EXPLICIT_BIG
    if (
        layout.samples == 1
        and layout.bits_allocated % _BYTE == 0
        and (layout.bits_allocated != _BYTE or not big)
    ):
        return Frame(_plain(value, layout, frame, ">" if big else "<"), layout.photometric)
    return decode_value(opened.transfer_syntax_uid, value, layout, frame, pixels.vr)


def _plain(value: memoryview, layout: PixelLayout, frame: int, order: str) -> Stored:
    size = layout.bits_allocated // 8
    kind = "f" if layout.keyword != "PixelData" else "i" if layout.signed else "u"
    values: Stored = np.frombuffer(
        value,
        dtype=f"{order}{kind}{size}",
        count=layout.plane_pixels,
        offset=(frame - 1) * layout.plane_pixels * size,
    ).reshape(layout.rows, layout.columns)
    if kind == "f" or layout.bits_stored == layout.bits_allocated:
        return values
    return _without_unused_bits(values, layout)


def _without_unused_bits(values: Stored, layout: PixelLayout) -> Stored:
    """Clear (or fill with the sign) the bits that PS3.5 Section 8.1.1 leaves to chance."""
    if layout.high_bit == layout.bits_stored - 1:
        bits = layout.bits_stored - layout.signed
        low = -(1 << bits) if layout.signed else 0
        if low <= values.min() and values.max() < 1 << bits:
            return values
    shifted: Stored = values << (layout.bits_allocated - 1 - layout.high_bit)
    shifted >>= layout.bits_allocated - layout.bits_stored
    return shifted


def _deflated_frame(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    source = _encoded_frame(opened, layout, pixels, frame)
    size = -(-layout.frame_bits // 8)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(source, size + 1)
    if not size <= len(inflated) <= size + 1:
        raise UnsupportedPixels("the deflated frame contradicts the image")
    return decode_value(EXPLICIT_LITTLE, inflated, replace(layout, frames=1))


def _compressed(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    syntax = opened.transfer_syntax_uid
    source = _encoded_frame(opened, layout, pixels, frame)
    check_compressed(syntax, source, layout)
    decode = decode_compressed if syntax == RLE else decode_isolated
    return decode(syntax, source, layout)


def _encoded_frame(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> bytes:
    if pixels.length != UNDEFINED:
        raise UnsupportedPixels("compressed pixel data are not encapsulated")
    offsets = value_of(opened.dataset, "ExtendedOffsetTable")
    lengths = value_of(opened.dataset, "ExtendedOffsetTableLengths")
    extended = (
        (offsets, lengths) if isinstance(offsets, bytes) and isinstance(lengths, bytes) else None
    )
    opened.stream.seek(pixels.offset)
    source = get_frame(
        opened.stream,
        frame - 1,
        number_of_frames=layout.frames,
        extended_offsets=extended,
    )
    if not source:
        raise UnsupportedPixels("the compressed frame is empty")
    return source


def _view(stream: BinaryIO) -> memoryview:
    """Bytes of a stream, mapped where it is a file: pages are read only where a frame lies.

    The map lives as long as an array looks at it.
    """
    if isinstance(stream, BytesIO):
        return stream.getbuffer()
    return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
