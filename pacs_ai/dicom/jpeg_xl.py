"""JPEG XL: the head of a frame, and its decoder."""

from pacs_ai.dicom.canonical import UNKNOWN_ERROR, Decoded, Stored
from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.errors import UnsupportedPixels

JPEG_XL_LOSSLESS = "1.2.840.10008.1.2.4.110"
NAKED, BOXED = b"\xff\x0a", b"\x00\x00\x00\x0cJXL "
_CODESTREAM_BOX, _PART_BOX = b"jxlc", b"jxlp"
_BOX_HEAD, _PART_NUMBER = 8, 4
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_SIZE_BITS, _DEPTHS = (9, 13, 18, 30), (8, 10, 12)
_BYTE, _SMALL_UNIT = 8, 8


class _Bits:
    """Bits of a JPEG XL head, the lowest first (ISO/IEC 18181-1 Annex B)."""

    def __init__(self, data: bytes) -> None:
        self.value = int.from_bytes(data, "little")
        self.left = 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise UnsupportedPixels("the compressed frame is cut off")
        value = self.value & ((1 << count) - 1)
        self.value >>= count
        return value


def decode_jpeg_xl(syntax: str, source: bytes, layout: PixelLayout) -> Decoded:
    """Decode a frame of JPEG XL.

    Parameters
    ----------
    syntax
        Transfer syntax UID: it alone tells whether the frame was compressed with loss.
    source
        The whole frame.
    layout
        The shape that the header tells.

    Raises
    ------
    UnsupportedPixels
        If the frame contradicts the header.

    Notes
    -----
    ISO/IEC 18181-1 Annexes D.2 and D.3. Its components are decoded to grey or RGB always.
    """
    from imagecodecs import jpegxl_decode  # noqa: PLC0415  (loaded where its first frame comes)

    rows, columns, bits = jpeg_xl_size(source)
    if (rows, columns) != (layout.rows, layout.columns):
        raise UnsupportedPixels("the compressed frame has other Rows and Columns")
    if bits > layout.bits_allocated:
        raise UnsupportedPixels("the compressed frame has other samples or bits")
    values: Stored = jpegxl_decode(source, numthreads=1)
    shape = (rows, columns) if layout.samples == 1 else (rows, columns, layout.samples)
    if values.shape != shape or values.dtype.kind != "u":
        raise UnsupportedPixels("the compressed frame has other samples or bits")
    error = 0 if syntax == JPEG_XL_LOSSLESS else UNKNOWN_ERROR
    return Decoded(values, bits, error=error, colour="RGB" if layout.samples > 1 else "")


def jpeg_xl_size(frame: bytes) -> tuple[int, int, int]:
    """Read rows, columns and bits a sample of a JPEG XL frame, in its container or without.

    Raises
    ------
    UnsupportedPixels
        If it is no JPEG XL, holds no whole numbers, or ends too early.
    """
    if frame.startswith(BOXED):
        frame = _codestream(frame)
    if not frame.startswith(NAKED):
        raise UnsupportedPixels("the compressed frame does not begin as its transfer syntax says")
    bits = _Bits(frame[len(NAKED) : 64])
    rows, columns = _size(bits)
    if bits.take(1):
        return rows, columns, _BYTE
    if bits.take(1):
        _pass_extra_fields(bits)
    if bits.take(1):
        raise UnsupportedPixels("the compressed frame does not hold integers")
    kind = bits.take(2)
    return rows, columns, _DEPTHS[kind] if kind < len(_DEPTHS) else 1 + bits.take(6)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    rows = _side(bits, small=small)
    ratio = bits.take(3)
    if ratio == 0:
        return rows, _side(bits, small=small)
    width, height = _RATIOS[ratio - 1]
    return rows, rows * width // height


def _side(bits: _Bits, *, small: int) -> int:
    if small:
        return (bits.take(5) + 1) * _SMALL_UNIT
    return 1 + bits.take(_SIZE_BITS[bits.take(2)])


def _pass_extra_fields(bits: _Bits) -> None:
    if bits.take(3):
        raise UnsupportedPixels("the compressed frame is rotated or mirrored")
    if bits.take(1):
        _size(bits)
    if bits.take(2):
        raise UnsupportedPixels("the compressed frame holds a preview or an animation")


def _codestream(frame: bytes) -> bytes:
    """Find the codestream, or the first part of it, among the boxes of the container."""
    position = 0
    while position + _BOX_HEAD <= len(frame):
        length = int.from_bytes(frame[position : position + 4])
        kind = frame[position + 4 : position + _BOX_HEAD]
        start = position + _BOX_HEAD + (8 if length == 1 else 0)
        if kind in (_CODESTREAM_BOX, _PART_BOX):
            return frame[start + (_PART_NUMBER if kind == _PART_BOX else 0) :]
        if length == 1:
            length = int.from_bytes(frame[position + _BOX_HEAD : start])
        if length < _BOX_HEAD:
            break
        position += length
    raise UnsupportedPixels("the compressed frame is cut off")
