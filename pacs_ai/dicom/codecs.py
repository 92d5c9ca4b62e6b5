"""The codecs: which library decodes what, and how it is called.

Each library is loaded where its first frame comes, so that a process holds no more of them than
it needs. What comes out is as the codestream says; `canonical` makes stored values of it.
"""

from importlib.util import find_spec
from io import BytesIO

import numpy as np

from pacs_ai.dicom.canonical import UNKNOWN_ERROR, Decoded, Stored
from pacs_ai.dicom.codec_errors import catch_panic
from pacs_ai.dicom.codestream import (
    END,
    Codestream,
    Process,
    check_codestream,
    check_rle,
    read_codestream,
    with_end,
)
from pacs_ai.dicom.cores import usable_cores
from pacs_ai.dicom.jpeg_xl import decode_jpeg_xl
from pacs_ai.dicom.pixel_layout import YBR, PixelLayout
from pacs_ai.errors import UnsupportedPixels

RLE = "1.2.840.10008.1.2.5"
_JPEG = "1.2.840.10008.1.2.4."
JPEG_FAMILY = frozenset(f"{_JPEG}{part}" for part in (50, 51, 53, 55, 57, 70, 80, 81))
JPEG_2000_FAMILY = frozenset(f"{_JPEG}{part}" for part in (90, 91, 201, 202, 203))
JPEG_XL_FAMILY = frozenset(f"{_JPEG}{part}" for part in (110, 111, 112))
COMPRESSED = frozenset({RLE}) | JPEG_FAMILY | JPEG_2000_FAMILY | JPEG_XL_FAMILY
_LIBRARIES = ("PIL", "imagecodecs", "jpeg_ls", "openjpeg", "rle")
_BYTE = 8
_LARGE = 1 << 20
"""Pixels of a frame of JPEG 2000 that is worth several threads."""

_PROBE = b"\x55\xaa" * 32


def missing_codecs() -> list[str]:
    """Return the names of the libraries that are required and not installed."""
    return [name for name in _LIBRARIES if find_spec(name) is None]


def decode_compressed(syntax: str, source: bytes, layout: PixelLayout) -> Decoded:
    """Decode one compressed frame.

    Parameters
    ----------
    syntax
        Transfer syntax UID, one of `COMPRESSED`.
    source
        The frame, its fragments joined.
    layout
        The shape that the header tells.

    Raises
    ------
    UnsupportedPixels
        If the frame contradicts the header, is not whole, or no codec reads it. What the codecs
        raise comes as it is, one of ``CODEC_ERRORS``.
    """
    with catch_panic():
        if syntax == RLE:
            return _rle(source, layout)
        if syntax in JPEG_XL_FAMILY:
            return decode_jpeg_xl(syntax, source, layout)
        stream = read_codestream(source)
        if (stream.process is Process.JPEG_2000) != (syntax in JPEG_2000_FAMILY):
            raise UnsupportedPixels("the compressed frame is of another transfer syntax")
        check_codestream(stream, layout)
        return _decode(source, stream, layout)


def _decode(source: bytes, stream: Codestream, layout: PixelLayout) -> Decoded:
    if stream.process is Process.JPEG_2000:
        whole = source if _has_end(source, stream) else with_end(source, stream)
        return _jpeg_2000(whole, stream, layout)
    if stream.process is Process.JPEG_LS:
        whole = source if _has_end(source, stream) else source + END
        return _jpeg_ls(whole, stream)
    if not stream.reversible and stream.bits <= _BYTE < layout.bits_stored:
        raise UnsupportedPixels("lossy JPEG of 8 bits, the header says more")
    if _has_end(source, stream):
        return _jpeg(source, stream, layout)
    return _jpeg_without_end(source, stream, layout)


def _jpeg_without_end(source: bytes, stream: Codestream, layout: PixelLayout) -> Decoded:
    """Decode a JPEG frame that lacks its last two bytes, if it lacks nothing else.

    The libraries fill what is missing with grey and say nothing. So the frame is decoded twice,
    with other data behind it: where these are taken for pixels, pixels were missing.
    """
    if stream.process is Process.PROGRESSIVE or not stream.whole_scan:
        raise UnsupportedPixels("the compressed frame has no end")
    source = source.rstrip(END[:1])
    decoded = _jpeg(source + END, stream, layout)
    probed = _jpeg(source + _PROBE + END, stream, layout)
    if not np.array_equal(decoded.values, probed.values):
        raise UnsupportedPixels("the compressed frame is cut off")
    return decoded


def _has_end(source: bytes, stream: Codestream) -> bool:
    return source.rfind(END, stream.body) >= 0


def rle_segments(layout: PixelLayout) -> int:
    """Count the byte planes of a frame: each is a segment of RLE (PS3.5 Section G.2)."""
    return layout.samples * max(1, layout.bits_allocated // _BYTE)


def _rle(source: bytes, layout: PixelLayout) -> Decoded:
    from rle.utils import decode_pixel_data  # noqa: PLC0415

    check_rle(source, rle_segments(layout))
    packed = layout.bits_allocated == 1
    planes = decode_pixel_data(
        source,
        version=2,
        rows=1,
        columns=-(-layout.plane_pixels // _BYTE) if packed else layout.plane_pixels,
        bits_allocated=max(_BYTE, layout.bits_allocated),
        byteorder="<",
    )
    if packed:
        flat: Stored = np.unpackbits(
            np.frombuffer(planes, dtype="u1"), count=layout.plane_pixels, bitorder="little"
        )
    else:
        flat = np.frombuffer(planes, dtype=f"<u{layout.bits_allocated // _BYTE}")
    values = flat.reshape(layout.samples, layout.rows, layout.columns)
    shaped = values[0] if layout.samples == 1 else values.transpose(1, 2, 0)
    return Decoded(shaped, max(_BYTE, layout.bits_allocated))


def _jpeg(source: bytes, stream: Codestream, layout: PixelLayout) -> Decoded:
    if not stream.reversible and stream.bits <= _BYTE:
        return _jpeg_8(source, stream, layout)
    from imagecodecs import jpeg8_decode  # noqa: PLC0415

    if stream.reversible:
        _agree(stream.colour, layout)
    kept = "RGB" if stream.components > 1 else None  # from RGB to RGB: as they were encoded
    values: Stored = jpeg8_decode(source, colorspace=kept, outcolorspace=kept)
    error = 0 if stream.reversible else UNKNOWN_ERROR
    return Decoded(_checked(values, stream), stream.bits, error=error, colour=stream.colour)


def _jpeg_8(source: bytes, stream: Codestream, layout: PixelLayout) -> Decoded:
    from PIL import Image  # noqa: PLC0415

    image = Image.open(BytesIO(source), formats=("JPEG",))
    if stream.components > 1 and not stream.colour and layout.photometric == "RGB":
        # Nothing in the codestream says YBR, which the library would take for granted.
        image.draft("YCbCr", image.size)
    colour = "RGB" if stream.components > 1 else ""
    return Decoded(_shaped(image.tobytes(), stream), _BYTE, error=UNKNOWN_ERROR, colour=colour)


def _jpeg_ls(source: bytes, stream: Codestream) -> Decoded:
    from jpeg_ls import decode_pixel_data  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        buffer, told = decode_pixel_data(source)
    except RuntimeError:
        # Before the end a zero, or half an end, may stand too much; the library takes neither.
        body = source[: source.rfind(END)]
        bare = body.rstrip(b"\0").rstrip(END[:1])
        if bare == body:
            raise
        buffer, told = decode_pixel_data(bare + END)
    by_plane = told["components"] > 1 and told["interleave_mode"] == 0
    values = _shaped(buffer, stream, by_plane=by_plane)
    return Decoded(values, stream.bits, error=told["allowed_lossy_error"])


def _jpeg_2000(source: bytes, stream: Codestream, layout: PixelLayout) -> Decoded:
    _agree(stream.colour, layout)
    # The faster library does not bring back what loss carries over the range: white is black then.
    fast = stream.high_throughput and stream.reversible
    values = _high_throughput(source, stream) if fast else None
    if values is None and stream.components == 1 and layout.plane_pixels >= _LARGE:
        values = _jpeg_2000_by_threads(source, stream)
    if values is None:
        from openjpeg.utils import decode_pixel_data  # noqa: PLC0415

        values = _shaped(bytes(decode_pixel_data(source, version=2)), stream)
    error = 0 if stream.reversible else UNKNOWN_ERROR
    colour = "" if layout.photometric in YBR else "RGB"
    return Decoded(values, stream.bits, stream.signed, error, colour)


def _high_throughput(source: bytes, stream: Codestream) -> Stored | None:
    """Decode HTJ2K with OpenJPH; None for what only OpenJPEG reads, a JP2 container for one."""
    from imagecodecs import Htj2kError, htj2k_decode  # noqa: PLC0415

    try:
        return _checked(htj2k_decode(source, planar=False), stream)
    except Htj2kError:
        return None


def _jpeg_2000_by_threads(source: bytes, stream: Codestream) -> Stored:
    """Decode the code blocks of a large frame at the same time; OpenJPEG as well, the same values.

    A study has few images of this size, so their number does not keep all cores busy. OpenJPEG
    waits for its threads now and then: two for each core take a fifth less time than one.
    """
    from imagecodecs import jpeg2k_decode  # noqa: PLC0415

    return _checked(jpeg2k_decode(source, numthreads=2 * usable_cores()), stream)


def _agree(colour: str, layout: PixelLayout) -> None:
    """Refuse what a codestream and the header call by different names, and nothing reconciles."""
    if colour and (colour == "RGB") == (layout.photometric in YBR):
        raise UnsupportedPixels(
            f"the codestream holds {colour}, the header says {layout.photometric}"
        )


def _checked(values: Stored, stream: Codestream) -> Stored:
    """Refuse an array of another size than the head of the frame tells."""
    planes = () if stream.components == 1 else (stream.components,)
    if values.shape != (stream.rows, stream.columns, *planes):
        raise UnsupportedPixels("the compressed frame contradicts its head")
    return values


def _shaped(buffer: bytes | bytearray, stream: Codestream, *, by_plane: bool = False) -> Stored:
    """Give the bytes of a codec their shape; its samples are as wide as their bits need."""
    size = 1 if stream.bits <= _BYTE else 2 if stream.bits <= 2 * _BYTE else 4
    values: Stored = np.frombuffer(buffer, dtype=f"<{'i' if stream.signed else 'u'}{size}")
    if stream.components == 1:
        return values.reshape(stream.rows, stream.columns)
    if by_plane:
        return values.reshape(stream.components, stream.rows, stream.columns).transpose(1, 2, 0)
    return values.reshape(stream.rows, stream.columns, stream.components)
