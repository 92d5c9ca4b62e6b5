import mmap
import struct
import zlib
from dataclasses import asdict
from io import BytesIO

import numpy as np
import pytest

from pacs_ai.dicom.codec_errors import CodecPanic, catch_panic
from pacs_ai.dicom.codestream import check_rle, read_codestream
from pacs_ai.dicom.decoding_process import attempt
from pacs_ai.dicom.part10 import inflate, read_meta
from pacs_ai.dicom.pixel_layout import Task
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels
from tests.unit.dicom.layouts import grey_layout

EXPLICIT = "1.2.840.10008.1.2.1"
START = b"\xff\xd8"
FRAME_HEADER = b"\xff\xc1" + struct.pack(">HBHHB3B", 11, 12, 30, 40, 1, 1, 17, 0)
SCAN_HEADER = b"\xff\xda" + struct.pack(">HB2B3B", 8, 1, 1, 0, 0, 63, 0)
LAYOUT = grey_layout(16, 12)


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
    stream = read_codestream(frame + SCAN_HEADER)
    assert (stream.rows, stream.columns, stream.components, stream.bits) == (30, 40, 1, 12)


def test_what_a_jpeg_2000_tells():
    size = struct.pack(">HHIIIIIIIIH3B", 47, 0, 45, 33, 5, 3, 9, 9, 0, 0, 3, 0x87, 1, 1)
    depths = b"\x87\x01\x01" * 2
    style = b"\xff\x52" + struct.pack(">H10B", 12, 0, 0, 0, 1, 1, 5, 4, 4, 0, 0)
    stream = b"\xff\x4f\xff\x51" + size + depths + style + b"\xff\x90\x00\x0a"
    box = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40)
    for frame in (stream, box + stream):
        told = read_codestream(frame)
        assert (told.rows, told.columns, told.components, told.bits) == (30, 40, 3, 8)
        assert (told.signed, told.reversible, told.colour) == (True, False, "RGB")


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
        read_codestream(frame)


def test_a_whole_rle_header():
    check_rle(struct.pack("<16I", 2, 64, 70, *[0] * 13) + bytes(10), 2)


def test_jpeg_extended_of_12_bits(corpus):
    """The same picture as the uncompressed reference, up to what compression loses."""
    files = {row["file"]: path for path, row in corpus}
    lossy = read_pixels(files["wg04/WG04/JPLY/MR1_JPLY"])
    exact = read_pixels(files["wg04/WG04/REF/MR1_UNC"])
    assert np.abs(lossy - exact).mean() < 0.01


def test_the_answer_of_the_decoding_process():
    plane = struct.pack("<16I", 2, 64, 64 + 16, *[0] * 13)
    packed = bytes([257 - 64, 1]) + bytes(14)
    frame = plane + packed + bytes([257 - 64, 2])
    region = mmap.mmap(-1, LAYOUT.decoded_bytes)
    region[: len(frame)] = frame
    about = {"task": asdict(Task("1.2.840.10008.1.2.5", LAYOUT)), "size": len(frame)}
    answer = attempt(about, region)
    assert answer == {"dtype": "<u2", "shape": (8, 8), "photometric": "MONOCHROME2"}
    values = np.frombuffer(region, dtype="<u2", count=64)
    assert set(values) == {0x0102}
    assert list(attempt(about | {"size": 64}, region)) == ["error"]


def test_only_compressed_frames_are_decoded_there():
    about = {"task": asdict(Task(EXPLICIT, LAYOUT)), "size": 128}
    assert "no codec" in attempt(about, mmap.mmap(-1, 128))["error"]


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
