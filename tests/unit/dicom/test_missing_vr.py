"""What archives store although a VR is none, or zeros follow, is read like its sound twin."""

import struct
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.net.scp.dataset_writer import file_head

CT = "1.2.840.10008.5.1.4.1.1.2"
PIXELS = np.arange(64, dtype="<u2").reshape(8, 8)
Element = tuple[int, str, bytes]

SOUND: list[Element] = [
    (0x00080008, "CS", b"ORIGINAL\\PRIMARY"),
    (0x00080016, "UI", CT.encode() + b"\0"),
    (0x00080018, "UI", b"1.2.3\0"),
    (0x00080060, "CS", b"CT"),
    (0x00100010, "PN", b"A^B "),
    (0x00180015, "CS", b"CHEST "),
    (0x0020000D, "UI", b"1.2.4\0"),
    (0x0020000E, "UI", b"1.2.5\0"),
    (0x00280002, "US", struct.pack("<H", 1)),
    (0x00280004, "CS", b"MONOCHROME2 "),
    (0x00280010, "US", struct.pack("<H", 8)),
    (0x00280011, "US", struct.pack("<H", 8)),
    (0x00280100, "US", struct.pack("<H", 16)),
    (0x00280101, "US", struct.pack("<H", 16)),
    (0x00280102, "US", struct.pack("<H", 15)),
    (0x00280103, "US", struct.pack("<H", 0)),
    (0x7FE00010, "OW", PIXELS.tobytes()),
]


def encode(elements: list[Element], order: str = "<") -> bytes:
    data = b""
    for tag, vr, value in sorted(elements):
        head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode("latin-1")
        form = "xxI" if vr in ("OW", "SQ", "UN") else "H"
        data += head + struct.pack(order + form, len(value)) + value
    return data


def write(folder: Path, data: bytes, syntax: UID = ExplicitVRLittleEndian) -> Path:
    path = folder / "x.dcm"
    path.write_bytes(file_head(CT, "1.2.3", syntax, ("MODALITY", "AI_NODE")) + data)
    return path


def same_as_sound(path: Path) -> None:
    scanned = scan_instance(path)
    assert scanned.has_pixels
    assert (scanned.sop_instance_uid, scanned.modality) == ("1.2.3", "CT")
    header = read_header(path)
    assert (header.rows, header.columns, header.modality) == (8, 8, "CT")
    assert header.body_part == "CHEST"
    assert header.image_type == ("ORIGINAL", "PRIMARY")
    assert read_facts(path, ["PatientName"])["PatientName"] == "A^B"
    sound = path.with_name("sound.dcm")
    sound.write_bytes(
        file_head(CT, "1.2.3", ExplicitVRLittleEndian, ("MODALITY", "AI_NODE")) + encode(SOUND)
    )
    shown = read_pixels(path, 1)
    assert shown.max() > shown.min()
    np.testing.assert_array_equal(shown, read_pixels(sound, 1))


PRIVATE: list[Element] = [(0x00090010, "LO", b"WRITER"), (0x00091001, "", b"what")]


@pytest.mark.parametrize("vr", ["\0\0", "  ", "lo", "??", "\0L", "Lo", "\xff\xfe", "12"])
@pytest.mark.parametrize("value", [b"what", b"", bytes(1000)])
def test_a_private_element(tmp_path: Path, vr: str, value: bytes) -> None:
    private = [PRIVATE[0], (PRIVATE[1][0], vr, value)]
    same_as_sound(write(tmp_path, encode(SOUND + private)))


@pytest.mark.parametrize("vr", ["\0\0", "  ", "xx"])
@pytest.mark.parametrize("tag", [tag for tag, vr, _ in SOUND if vr != "OW"])
def test_an_element_that_is_needed_has_the_vr_of_the_dictionary(
    tmp_path: Path, tag: int, vr: str
) -> None:
    odd = [(one, vr if one == tag else sound, value) for one, sound, value in SOUND]
    same_as_sound(write(tmp_path, encode(odd)))


def test_every_vr_lower_case(tmp_path: Path) -> None:
    odd = [(tag, vr if vr == "OW" else vr.lower(), value) for tag, vr, value in SOUND]
    same_as_sound(write(tmp_path, encode(odd)))


def test_in_a_sequence(tmp_path: Path) -> None:
    code = struct.pack("<HH2sH", 0x0008, 0x0100, b"\0\0", 4) + b"CODE"
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(code)) + code
    same_as_sound(write(tmp_path, encode([*SOUND, (0x00081140, "SQ", item)])))


def test_big_endian(tmp_path: Path) -> None:
    turned = {"US": lambda value: value[::-1], "OW": lambda _: PIXELS.byteswap().tobytes()}
    swapped = [(tag, vr, turned.get(vr, bytes)(value)) for tag, vr, value in SOUND]
    private = [PRIVATE[0], (PRIVATE[1][0], "\0\0", b"what")]
    same_as_sound(write(tmp_path, encode(swapped + private, ">"), ExplicitVRBigEndian))


@pytest.mark.parametrize("zeros", [1, 2, 8, 12, 100, 512, 70_000])
def test_zeros_at_the_end(tmp_path: Path, zeros: int) -> None:
    same_as_sound(write(tmp_path, encode(SOUND) + bytes(zeros)))


def test_zeros_at_the_end_of_a_data_set_without_pixels(tmp_path: Path) -> None:
    path = write(tmp_path, encode(SOUND[:-1]) + bytes(100))
    assert not scan_instance(path).has_pixels
    assert read_header(path).modality == "CT"
