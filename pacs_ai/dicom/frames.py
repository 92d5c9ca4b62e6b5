"""From bytes to the stored values of one frame, whatever the transfer syntax."""

import mmap
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from pacs_ai.dicom.codestream import check_rle, codestream_size
from pacs_ai.dicom.extended import JPEG_EXTENDED, decode_extended
from pacs_ai.dicom.foreign import FOREIGN_ERRORS
from pacs_ai.dicom.layout import COLOUR, PixelLayout, check_native_length
from pacs_ai.dicom.part10 import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
)
from pacs_ai.dicom.reading import UNDEFINED, Opened, PixelElement, value_of
from pacs_ai.errors import UnsupportedPixels

Stored = npt.NDArray[Any]
"""Values as stored: integers or floats of any width, (rows, columns) or (rows, columns, 3)."""

DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
RLE = "1.2.840.10008.1.2.5"
_BYTE = 8
_NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
_JPEG = "1.2.840.10008.1.2.4."
_PLUGINS: dict[str, tuple[str, ...]] = {
    RLE: ("pylibjpeg", "pydicom"),
    _JPEG + "50": ("gdcm", "pillow"),
    JPEG_EXTENDED: ("gdcm", "pillow"),
    _JPEG + "57": ("gdcm",),
    _JPEG + "70": ("gdcm",),
    _JPEG + "80": ("pyjpegls", "gdcm"),
    _JPEG + "81": ("pyjpegls", "gdcm"),
    _JPEG + "90": ("gdcm", "pylibjpeg", "pillow"),
    _JPEG + "91": ("gdcm", "pylibjpeg", "pillow"),
    _JPEG + "201": ("pylibjpeg",),
    _JPEG + "202": ("pylibjpeg",),
    _JPEG + "203": ("pylibjpeg",),
}
"""Codecs of a transfer syntax, the fastest first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Stored values of one frame, and what they mean once decoded."""

    values: Stored
    photometric: str


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
    if syntax not in _PLUGINS:
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
    return _decode(opened.transfer_syntax_uid, value, layout, pixels.vr, frame, None)


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
    return _decode(EXPLICIT_LITTLE, inflated, layout, "OB", 1, 1)


def _compressed(opened: Opened, layout: PixelLayout, pixels: PixelElement, frame: int) -> Frame:
    source = _encoded_frame(opened, layout, pixels, frame)
    if opened.transfer_syntax_uid == RLE:
        check_rle(source, layout.samples * layout.bits_allocated // 8)
    else:
        size = codestream_size(source)
        if (size.rows, size.columns) != (layout.rows, layout.columns):
            raise UnsupportedPixels("the compressed frame has other Rows and Columns")
        if size.components != layout.samples or size.bits > layout.bits_allocated:
            raise UnsupportedPixels("the compressed frame has other samples or bits")
        if opened.transfer_syntax_uid == JPEG_EXTENDED and size.bits > _BYTE:
            return Frame(decode_extended(source, layout), layout.photometric)
    return _decode(
        opened.transfer_syntax_uid,
        encapsulate([source], has_bot=False),
        layout,
        pixels.vr,
        1,
        1,
    )


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


def _decode(
    syntax: str,
    source: bytes | memoryview,
    layout: PixelLayout,
    vr: str,
    frame: int,
    frames: int | None,
) -> Frame:
    decoder = get_decoder(UID(syntax))
    failure: Exception | None = None
    for plugin in _PLUGINS.get(syntax, ("",)):
        try:
            values, meaning = decoder.as_array(
                source,
                index=frame - 1,
                decoding_plugin=plugin,
                **_options(layout, vr, frames),
            )
        except FOREIGN_ERRORS as error:
            failure = error
            continue
        return Frame(values, str(meaning["photometric_interpretation"]))
    raise UnsupportedPixels(
        f"no codec could decode the frame ({type(failure).__name__})"
    ) from failure


def _options(layout: PixelLayout, vr: str, frames: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "number_of_frames": frames or layout.frames,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": layout.keyword,
        "pixel_vr": vr,
    }
    if layout.photometric in COLOUR:
        options["planar_configuration"] = layout.planar
    return options


def _view(stream: BinaryIO) -> memoryview:
    """Bytes of a stream, mapped where it is a file: pages are read only where a frame lies.

    The map lives as long as an array looks at it.
    """
    if isinstance(stream, BytesIO):
        return stream.getbuffer()
    return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
