"""Uncompressed frames: from their bytes to samples, in any order of bytes, planes and bits."""

import zlib

import numpy as np

from pacs_ai.dicom.canonical import Decoded, Stored
from pacs_ai.dicom.pixel_layout import SUBSAMPLED, PixelLayout
from pacs_ai.errors import UnsupportedPixels

DEFLATED_FRAME = "1.2.840.10008.1.2.8.1"
_BYTE = 8
_KINDS = {"PixelData": "u", "FloatPixelData": "f", "DoubleFloatPixelData": "f"}


def decode_native(
    source: memoryview | bytes,
    layout: PixelLayout,
    *,
    order: str = "<",
    swapped: bool = False,
    skip: int = 0,
) -> Decoded:
    """Read the samples of one uncompressed frame.

    Parameters
    ----------
    source
        Bytes that hold the frame.
    layout
        What the header says of it.
    order
        ``<`` or ``>``: the order of bytes in samples of more than one.
    swapped
        Whether single bytes stand in 16-bit words of the other order (PS3.5 Section 8.1.2, OW).
    skip
        What stands before the frame in ``source``: bits where Bits Allocated is 1, else bytes.

    Raises
    ------
    UnsupportedPixels
        If samples of half the width and an odd number of columns meet.
    """
    if swapped:
        source = np.frombuffer(source, dtype="u2").byteswap().tobytes()
    count = layout.frame_bits // layout.bits_allocated
    if layout.bits_allocated == 1:
        bits = np.unpackbits(np.frombuffer(source, dtype="u1"), bitorder="little")
        flat: Stored = bits[skip : skip + count]
    else:
        dtype = f"{order}{_KINDS[layout.keyword]}{layout.bits_allocated // _BYTE}"
        flat = np.frombuffer(source, dtype=dtype, count=count, offset=skip)
        flat = flat.astype(flat.dtype.newbyteorder("="), copy=False)
    return Decoded(_shaped(flat, layout), max(_BYTE, layout.bits_allocated))


def inflate_frame(source: memoryview | bytes, layout: PixelLayout) -> bytes:
    """Inflate one frame of Deflated Image Frame Compression (PS3.5 Section A.4.13).

    Raises
    ------
    UnsupportedPixels
        If it is longer or shorter than the header says.
    """
    size = -(-layout.frame_bits // _BYTE)
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(source, size + 1)
    if not size <= len(inflated) <= size + 1:
        raise UnsupportedPixels("the deflated frame contradicts the image")
    return inflated


def _shaped(flat: Stored, layout: PixelLayout) -> Stored:
    rows, columns, samples = layout.rows, layout.columns, layout.samples
    if samples == 1:
        return flat.reshape(rows, columns)
    if layout.photometric == SUBSAMPLED:
        return _full(flat, layout)
    if layout.planar == 1:
        return flat.reshape(samples, rows, columns).transpose(1, 2, 0)
    return flat.reshape(rows, columns, samples)


def _full(flat: Stored, layout: PixelLayout) -> Stored:
    """Give both pixels of a pair their chroma: Y1 Y2 B R (PS3.3 Section C.7.6.3.1.2)."""
    if layout.columns % 2:
        raise UnsupportedPixels(f"{SUBSAMPLED} with an odd number of columns")
    pairs = flat.reshape(layout.rows, layout.columns // 2, 4)
    full = np.empty((layout.rows, layout.columns, 3), dtype=flat.dtype)
    full[..., 0] = pairs[..., :2].reshape(layout.rows, layout.columns)
    full[..., 1:] = np.repeat(pairs[..., 2:], 2, axis=1)
    return full
