"""Data sets and files of DICOM, byte by byte, sound or not."""

import struct
import zlib
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

CT = b"1.2.840.10008.5.1.4.1.1.2\0"
UNDEFINED = 0xFFFFFFFF
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)


def element(tag: int, vr: str, value: bytes, length: int | None = None, order: str = "<") -> bytes:
    """One element with explicit VR; ``length`` lies about its value."""
    size = len(value) if length is None else length
    head = struct.pack(order + "HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    long = vr in {"OB", "OW", "OF", "SQ", "UN", "UT", "OD", "OL", "OV", "UC", "UR", "SV", "UV"}
    return head + struct.pack(order + ("2xI" if long else "H"), size) + value


def item(content: bytes, length: int | None = None) -> bytes:
    size = len(content) if length is None else length
    return struct.pack("<HHI", 0xFFFE, 0xE000, size) + content


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size) + value


def sequence(tag: int, items: bytes, *, closed: bool = True, vr: str = "SQ") -> bytes:
    if closed:
        return element(tag, vr, items, UNDEFINED) + SEQUENCE_END
    return element(tag, vr, items)


IDENTITY = (
    element(0x00080016, "UI", CT)
    + element(0x00080018, "UI", b"1.2.3.4.1\0")
    + element(0x00100020, "LO", b"CANARY-ID ")
    + element(0x0020000D, "UI", b"1.2.3\0")
    + element(0x0020000E, "UI", b"1.2.3.4\0")
)

PIXELS = element(0x7FE00010, "OW", bytes(range(48)))
PLAIN = IDENTITY + PIXELS
NAME = element(0x00080100, "SH", b"CODE")

ACCEPTED = {
    "defined sequence, defined item": sequence(0x00081140, item(NAME), closed=False),
    "undefined sequence, defined item": sequence(0x00081140, item(NAME)),
    "undefined sequence, undefined item": sequence(0x00081140, item(NAME + ITEM_END, UNDEFINED)),
    "empty sequences": sequence(0x00081140, b"") + sequence(0x00081150, b"", closed=False),
    "empty item": sequence(0x00081140, item(b"")),
    "delimiters where lengths were given": sequence(
        0x00081140, item(NAME + ITEM_END) + SEQUENCE_END, closed=False
    ),
    "private UN of undefined length, implicit inside": sequence(
        0x00091001, item(implicit(0x00080100, b"CODE") + ITEM_END, UNDEFINED), vr="UN"
    ),
    "private UN of undefined length, explicit inside": sequence(
        0x00091001, item(NAME + ITEM_END, UNDEFINED), vr="UN"
    ),
    "implicit item in an explicit sequence": sequence(
        0x00081140, item(implicit(0x00080100, b"CODE"))
    ),
    "UN of defined length": element(0x00091002, "UN", b"\xff" * 7),
    "group length": element(0x00090000, "UL", bytes(4)),
    "zero length": element(0x00091003, "LO", b"") + element(0x00091004, "OB", b""),
    "odd length": element(0x00091005, "LO", b"odd"),
    "unknown VR, short form": element(0x00091006, "ZZ", b"what"),
    "unknown VR, long form": b"\x09\0\x10\x07ZZ\0\0" + struct.pack("<I", 6) + b"abcdef",
    "VR of NUL bytes": element(0x00091009, "\0\0", b"what"),
    "VR of spaces": element(0x0009100A, "  ", b"what"),
    "VR in lower case": element(0x0009100B, "lo", b"what"),
    "VR of digits": element(0x0009100C, "?1", b"what"),
    "VR of NUL bytes, empty": element(0x0009100D, "\0\0", b""),
    "VR of NUL bytes in an item": sequence(
        0x00081140, item(element(0x00080100, "\0\0", b"CODE") + NAME)
    ),
    "fragments below a private tag": element(0x00091008, "OB", item(b"") + item(b"ab"), UNDEFINED)
    + SEQUENCE_END,
}


def part10(path: Path, dataset: bytes, syntax: str = ExplicitVRLittleEndian) -> Path:
    """A file as the node writes it: its own meta information, then the data set as sent."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x00020010, "UI", uid)
    length = element(0x00020000, "UL", struct.pack("<I", len(meta)))
    path.write_bytes(bytes(128) + b"DICM" + length + meta + dataset)
    return path


def deflate(dataset: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(dataset) + packer.flush()
