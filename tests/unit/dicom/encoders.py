"""Encoders of every transfer syntax whose pixels are read: from an array to the bytes of a frame.

Each takes samples as they shall stand in the codestream, and the bits a sample that it shall have.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from jpeg_ls.CharLS import encode_buffer as encode_jpeg_ls
from openjpeg.utils import encode_buffer
from PIL import Image
from pydicom.encaps import encapsulate
from rle.utils import encode_pixel_data

from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.frames import UNCOMPRESSED, read_frame
from pacs_ai.dicom.image_pixel import LAYOUT_KEYWORDS, read_layout
from pacs_ai.dicom.reading import read_until_pixels
from tests.unit.dicom.conftest import Make

Samples = npt.NDArray[Any]
Encode = Callable[[Samples, int], bytes]

ROOT = "1.2.840.10008.1.2"
IMPLICIT, EXPLICIT, BIG, DEFLATED = ROOT, f"{ROOT}.1", f"{ROOT}.2", f"{ROOT}.1.99"
DEFLATED_FRAME, RLE = f"{ROOT}.8.1", f"{ROOT}.5"
JPEG = f"{ROOT}.4."


@dataclass(frozen=True)
class Encoder:
    """An encoder: its transfer syntax, the bits it can state, whether it states a sign."""

    name: str
    syntax: str
    encode: Encode
    bits: tuple[int, ...] = tuple(range(2, 17))
    signed: bool = False

    def __str__(self) -> str:
        return self.name


def little(samples: Samples, _bits: int) -> bytes:
    return samples.astype(samples.dtype.newbyteorder("<")).tobytes()


def big(samples: Samples, _bits: int) -> bytes:
    """Big endian; single bytes stand in words whose bytes are swapped, as in any OW."""
    if samples.dtype.itemsize > 1:
        return samples.astype(samples.dtype.newbyteorder(">")).tobytes()
    return np.frombuffer(samples.tobytes(), dtype="u2").byteswap().tobytes()


def deflate(samples: Samples, bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = packer.compress(little(samples, bits)) + packer.flush()
    return data + b"\0" * (len(data) % 2)


def rle(samples: Samples, bits: int) -> bytes:
    return encode_pixel_data(
        little(samples, bits),
        rows=samples.shape[0],
        columns=samples.shape[1],
        samples_per_pixel=1 if samples.ndim == 2 else 3,
        bits_allocated=8 * samples.dtype.itemsize,
        bits_stored=8 * samples.dtype.itemsize,
        byteorder="<",
    )


def lossless_jpeg(predictor: int) -> Encode:
    def encode(samples: Samples, bits: int) -> bytes:
        return imagecodecs.jpeg8_encode(
            samples, lossless=True, predictor=predictor, bitspersample=bits
        )

    return encode


def jpeg_ls(lossy_error: int = 0, interleave: int | None = None) -> Encode:
    def encode(samples: Samples, bits: int) -> bytes:
        rows, columns, *planes = samples.shape
        if interleave == 0:
            samples = samples.transpose(2, 0, 1)
        data = samples.tobytes()
        frame = encode_jpeg_ls(data, rows, columns, *(planes or [1]), bits, lossy_error, interleave)
        return bytes(frame)

    return encode


def jpeg_2000(*, mct: bool = False, **options: Any) -> Encode:
    def encode(samples: Samples, bits: int) -> bytes:
        return encode_buffer(
            samples.tobytes(),
            samples.shape[1],
            samples.shape[0],
            1 if samples.ndim == 2 else 3,
            bits,
            samples.dtype.kind == "i",
            photometric_interpretation=1 if samples.ndim == 3 else 2,
            use_mct=mct,
            **options,
        )

    return encode


def htj2k(**options: Any) -> Encode:
    def encode(samples: Samples, _bits: int) -> bytes:
        return imagecodecs.htj2k_encode(np.ascontiguousarray(samples), **options)

    return encode


def htj2k_of_any_bits(samples: Samples, bits: int) -> bytes:
    """Lossless HTJ2K with a number of bits that the encoder does not offer.

    It subtracts half the range of unsigned samples, so they are moved before; then the head is
    told the bits that the samples have.
    """
    signed = samples.dtype.kind == "i"
    moved = samples.astype("i2") if signed else samples + (1 << 15) - (1 << (bits - 1))
    frame = bytearray(imagecodecs.htj2k_encode(moved.astype("i2" if signed else "u2")))
    frame[frame.find(b"\xff\x51") + 40] = signed << 7 | bits - 1
    return bytes(frame)


def jpeg_xl(**options: Any) -> Encode:
    def encode(samples: Samples, bits: int) -> bytes:
        return imagecodecs.jpegxl_encode(samples, bitspersample=bits, **options)

    return encode


def pillow(**options: Any) -> Encode:
    def encode(samples: Samples, _bits: int) -> bytes:
        target = BytesIO()
        Image.fromarray(samples).save(target, "JPEG", quality=98, **options)
        return target.getvalue()

    return encode


def extended(samples: Samples, bits: int) -> bytes:
    return imagecodecs.jpeg8_encode(samples, level=99, bitspersample=bits)


def image(
    make: Make, syntax: str, frames: list[bytes], samples: Samples, **elements: object
) -> Path:
    """Write an image of encoded frames; ``samples`` gives one frame its shape and container."""
    bits = 8 * samples.dtype.itemsize
    values: dict[str, object] = {
        "Rows": samples.shape[0],
        "Columns": samples.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": elements.get("BitsStored", bits) - 1,
        "PixelRepresentation": int(samples.dtype.kind == "i"),
        "PixelData": b"".join(frames) if syntax in UNCOMPRESSED else encapsulate(frames),
    }
    if samples.ndim == 3:
        values |= {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}
        values |= {"PlanarConfiguration": 0}
    if len(frames) > 1:
        values["NumberOfFrames"] = len(frames)
    return make(syntax, **values | elements)


def items(*fragments: bytes, table: bytes = b"") -> bytes:
    """Put fragments into items as they are, an odd length among them."""
    return b"".join(
        b"\xfe\xff\x00\xe0" + struct.pack("<I", len(part)) + part for part in (table, *fragments)
    )


def stored(path: Path, frame: int = 1) -> Frame:
    """Read one frame as a model is shown it, before window and colour."""
    with path.open("rb") as stream:
        opened = read_until_pixels(stream, LAYOUT_KEYWORDS)
        assert opened.pixels is not None
        layout = read_layout(opened.dataset, opened.pixels.keyword)
        return read_frame(opened, layout, opened.pixels, frame)
