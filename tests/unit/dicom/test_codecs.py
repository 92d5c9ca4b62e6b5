import struct
import zlib
from io import BytesIO

import numpy as np
import pytest

from pacs_ai.dicom.codestream import CodestreamSize, check_rle, codestream_size
from pacs_ai.dicom.extended import decode_extended
from pacs_ai.dicom.foreign import CodecPanic, catch_panic
from pacs_ai.dicom.isolated import _decode
from pacs_ai.dicom.layout import PixelLayout
from pacs_ai.dicom.part10 import inflate, read_meta
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels

START = b"\xff\xd8"
FRAME_HEADER = b"\xff\xc1" + struct.pack(">HBHHB", 11, 12, 30, 40, 1)
LAYOUT = PixelLayout(
    keyword="PixelData",
    rows=8,
    columns=8,
    samples=1,
    photometric="MONOCHROME2",
    planar=0,
    frames=1,
    bits_allocated=16,
    bits_stored=12,
    high_bit=11,
    signed=False,
)


@pytest.mark.parametrize(
    "frame",
    [
        START + FRAME_HEADER,
        START + b"\xff\xe0\x00\x04ab" + FRAME_HEADER,
        START + b"\xff\xff\xff\x01" + FRAME_HEADER,
        START + b"\xff\xd0" + FRAME_HEADER.replace(b"\xff\xc1", b"\xff\xf7"),
    ],
)
def test_the_size_a_jpeg_tells(frame):
    assert codestream_size(frame) == CodestreamSize(30, 40, 1, 12)


def test_the_size_a_jpeg_2000_tells():
    size = struct.pack(">HHIIIIIIIIH3B", 41, 0, 45, 33, 5, 3, 9, 9, 0, 0, 3, 7, 1, 1)
    stream = b"\xff\x4f\xff\x51" + size
    box = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40)
    for frame in (stream, box + stream):
        assert codestream_size(frame) == CodestreamSize(30, 40, 3, 8)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        START,
        START + b"no marker",
        START + b"\xff\xda\x00\x08",
        START + FRAME_HEADER[:6],
        START + b"\xff\xe0\xff\xff" + FRAME_HEADER,
        b"\x00\x00\x00\x0cjP  without a code stream",
    ],
)
def test_frames_that_do_not_tell(frame):
    with pytest.raises(UnsupportedPixels):
        codestream_size(frame)


def test_a_whole_rle_header():
    check_rle(struct.pack("<16I", 2, 64, 70, *[0] * 13) + bytes(10), 2)


def test_jpeg_extended_of_12_bits(corpus):
    """The same picture as the uncompressed reference, up to what compression loses."""
    files = {row["file"]: path for path, row in corpus}
    lossy = read_pixels(files["wg04/WG04/JPLY/MR1_JPLY"])
    exact = read_pixels(files["wg04/WG04/REF/MR1_UNC"])
    assert np.abs(lossy - exact).mean() < 0.01


def test_jpeg_extended_refusals():
    with pytest.raises((UnsupportedPixels, AttributeError)):
        decode_extended(b"\xff\xd8 no picture", LAYOUT)
    signed = PixelLayout(
        **{**{name: getattr(LAYOUT, name) for name in LAYOUT.__slots__}, "signed": True}
    )
    with pytest.raises(UnsupportedPixels, match="this kind"):
        decode_extended(b"", signed)


def test_the_answer_of_the_child():
    about = {
        "syntax": "1.2.840.10008.1.2.5",
        "layout": {name: getattr(LAYOUT, name) for name in LAYOUT.__slots__},
    }
    plane = struct.pack("<16I", 2, 64, 64 + 16, *[0] * 13)
    packed = bytes([257 - 64, 1]) + bytes(14)
    answer, data = _decode(about, plane + packed + bytes([257 - 64, 2]))
    assert answer == {"dtype": "<u2", "shape": (8, 8), "photometric": "MONOCHROME2"}
    assert set(np.frombuffer(data, "<u2")) == {0x0102}
    answer, data = _decode(about, bytes(64))
    assert (list(answer), data) == (["error"], b"")


def test_a_panic_becomes_an_error():
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    with pytest.raises(CodecPanic), catch_panic():
        raise panic
    with pytest.raises(KeyboardInterrupt), catch_panic():
        raise KeyboardInterrupt


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def test_inflate_is_bounded():
    data = deflated(bytes(1000_000))
    assert inflate(BytesIO(data), 1000_000) == bytes(1000_000)
    for stream, reason in (
        (data, "longer than allowed"),
        (data[:-2], "cut off"),
        (b"\xff" * 9, "damaged"),
    ):
        with pytest.raises(NotDicom, match=reason):
            inflate(BytesIO(stream), 900_000 if stream is data else 2_000_000)


def test_meta_information_cut_off():
    for cut in (b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00UI\xff\x00" + bytes(40)):
        with pytest.raises(NotDicom, match="cut off"):
            read_meta(bytes(128) + b"DICM" + cut)
