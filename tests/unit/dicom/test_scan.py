import hashlib
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pacs_ai.dicom import scan
from pacs_ai.dicom.elements import MAX_DEPTH
from pacs_ai.dicom.encoding import BadDataset
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.part10 import MAX_META, read_meta
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.errors import NotDicom, StorageError

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


IDENTITY = (
    element(0x00080016, "UI", CT)
    + element(0x00080018, "UI", b"1.2.3.4.1\0")
    + element(0x00100020, "LO", b"CANARY-ID ")
    + element(0x0020000D, "UI", b"1.2.3\0")
    + element(0x0020000E, "UI", b"1.2.3.4\0")
)
PIXELS = element(0x7FE00010, "OW", bytes(range(48)))
PLAIN = IDENTITY + PIXELS


def part10(path: Path, dataset: bytes, syntax: str = ExplicitVRLittleEndian) -> Path:
    """A file as the node writes it: its own meta information, then the data set as sent."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x00020010, "UI", uid)
    length = element(0x00020000, "UL", struct.pack("<I", len(meta)))
    path.write_bytes(bytes(128) + b"DICM" + length + meta + dataset)
    return path


@pytest.fixture
def check(tmp_path):
    def run(dataset: bytes, syntax: str = ExplicitVRLittleEndian, **options: bool):
        return scan_instance(part10(tmp_path / "scan.dcm", dataset, syntax), **options)

    return run


def test_what_a_whole_data_set_tells(check):
    seen = check(PLAIN)
    assert seen.sop_class_uid == CT.decode().rstrip("\0")
    assert (seen.study_instance_uid, seen.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert seen.sop_instance_uid == "1.2.3.4.1"
    assert (seen.patient.patient_id, seen.accession_number) == ("CANARY-ID", "")
    assert seen.transfer_syntax_uid == ExplicitVRLittleEndian
    assert seen.has_pixels
    assert seen.dataset_bytes == len(PLAIN)
    assert seen.dataset_sha256 == hashlib.sha256(PLAIN).hexdigest()
    assert seen.pixel_sha256 == hashlib.sha256(bytes(range(48))).hexdigest()
    assert check(PLAIN, hash_pixels=False).pixel_sha256 == ""


@pytest.mark.parametrize(
    "syntax",
    [
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_every_encoding_tells_the_same(make, syntax):
    nested = Dataset()
    nested.add_new(0x00081140, "SQ", Sequence([Dataset(), Dataset()]))
    nested.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.9"
    path = make(
        syntax,
        ImageType=["DERIVED", "PRIMARY"],
        Manufacturer="ACME",
        SourceImageSequence=Sequence([nested]),
    )
    seen = scan_instance(path)
    assert seen.sop_instance_uid == "1.2.3.4.1"
    assert (seen.modality, seen.manufacturer, seen.patient.patient_id) == (
        "CT",
        "ACME",
        "CANARY-ID",
    )
    assert seen.image_type == ("DERIVED", "PRIMARY")
    assert seen.transfer_syntax_uid == syntax
    assert len(seen.pixel_sha256) == 64


def test_values_in_another_character_set(make):
    path = make(
        SpecificCharacterSet="ISO_IR 192", PatientID="山田", Manufacturer="Röntgen", Modality="CT"
    )
    seen = scan_instance(path)
    assert (seen.patient.patient_id, seen.manufacturer, seen.modality) == ("山田", "Röntgen", "CT")


def sequence(tag: int, items: bytes, *, closed: bool = True, vr: str = "SQ") -> bytes:
    if closed:
        return element(tag, vr, items, UNDEFINED) + SEQUENCE_END
    return element(tag, vr, items)


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


@pytest.mark.parametrize("extra", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_archives_accept(check, extra):
    assert check(IDENTITY + extra + PIXELS).pixel_sha256 == check(PLAIN).pixel_sha256


def test_padding_at_the_end(check):
    padding = element(0xFFFCFFFC, "OB", bytes(10))
    assert check(PLAIN + padding).has_pixels
    for zeros in (1, 7, 8, 9, 12, 100, 70_000):
        assert check(PLAIN + bytes(zeros)).has_pixels
        assert check(PLAIN + padding + bytes(zeros)).has_pixels
    with pytest.raises(BadDataset):
        check(PLAIN + bytes(100) + b"x")


def test_padding_of_an_implicit_data_set(check):
    dataset = b"".join(
        implicit(tag, value)
        for tag, value in (
            (0x00080016, CT),
            (0x00080018, b"1.2.3.4.1\0"),
            (0x0020000D, b"1.2.3\0"),
            (0x0020000E, b"1.2.3.4\0"),
        )
    )
    for zeros in (0, 5, 8, 100):
        check(dataset + bytes(zeros), ImplicitVRLittleEndian)


def deep(levels: int) -> bytes:
    inner = NAME
    for _ in range(levels):
        inner = sequence(0x00081140, item(inner), closed=True)
    return inner


REFUSED = {
    "element beyond the end": IDENTITY + element(0x00091001, "LO", b"ab", 9999),
    "last element beyond the end": IDENTITY + element(0x7FE00010, "OW", bytes(48), 49),
    "item beyond its sequence": IDENTITY
    + sequence(0x00081140, item(NAME, len(NAME) + 8), closed=False)
    + PIXELS,
    "sequence beyond the end": IDENTITY + element(0x00081140, "SQ", item(NAME), 9999),
    "element beyond its item": IDENTITY
    + sequence(0x00081140, item(element(0x00080100, "SH", b"CODE", 400)))
    + PIXELS,
    "sequence not closed": IDENTITY + element(0x00081140, "SQ", item(NAME), UNDEFINED),
    "item not closed": IDENTITY + element(0x00081140, "SQ", item(NAME, UNDEFINED), UNDEFINED),
    "undefined length on text": IDENTITY + element(0x00091001, "UT", b"a", UNDEFINED) + PIXELS,
    "undefined length on floats": IDENTITY + element(0x00091001, "OF", b"a", UNDEFINED),
    "garbage instead of a VR": IDENTITY + element(0x00091001, "?!", b"a", 9) + PIXELS,
    "long form of a VR that is none": IDENTITY + b"\x09\0\x01\x10ow\0\0" + b"\4\0\0\0abcd" + PIXELS,
    "zeros between": IDENTITY + bytes(100) + PIXELS,
    "stray item delimiter": IDENTITY + ITEM_END + PIXELS,
    "stray sequence delimiter": IDENTITY + SEQUENCE_END + PIXELS,
    "no item in a sequence": IDENTITY + element(0x00081140, "SQ", NAME) + PIXELS,
    "nested too deep": IDENTITY + deep(MAX_DEPTH + 1) + PIXELS,
    "random bytes behind": PLAIN + b"\x8a\x01garbage that is no element",
    "cut header": PLAIN + b"\xfc\xff\xfc",
    "file meta inside": element(0x00020010, "UI", b"1.2 ") + PLAIN,
    "command inside": element(0x00000002, "UI", b"1.2 ") + PLAIN,
    "preamble inside": bytes(128) + b"DICM" + element(0x00020010, "UI", b"1.2 ") + PLAIN,
    "fragments never end": IDENTITY + element(0x7FE00010, "OB", item(b"") * 9, UNDEFINED),
    "fragment beyond the end": IDENTITY + element(0x7FE00010, "OB", item(b"ab", 999), UNDEFINED),
    "fragment of undefined length": IDENTITY
    + element(0x7FE00010, "OB", item(b"ab", UNDEFINED), UNDEFINED)
    + SEQUENCE_END,
    "encapsulated in a native syntax": IDENTITY
    + element(0x7FE00010, "OB", item(b"") + item(b"ab"), UNDEFINED)
    + SEQUENCE_END,
    "nothing at all": b"",
}


@pytest.mark.parametrize("dataset", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(check, dataset):
    with pytest.raises(BadDataset) as caught:
        check(dataset)
    assert caught.value.status == 0xC000
    assert "CANARY" not in str(caught.value)


def test_nesting_up_to_the_cap_is_taken(check):
    assert check(IDENTITY + deep(MAX_DEPTH) + PIXELS).has_pixels


BIG = element(0x00080016, "UI", CT, order=">") + element(0x00080018, "UI", b"1.2 ", order=">")


@pytest.mark.parametrize(
    ("dataset", "syntax"),
    [
        (PLAIN, ImplicitVRLittleEndian),
        (PLAIN, ExplicitVRBigEndian),
        (BIG, ExplicitVRLittleEndian),
        (implicit(0x00080016, CT) + implicit(0x00080018, b"1.2 "), ExplicitVRLittleEndian),
        (PLAIN, DeflatedExplicitVRLittleEndian),
        (PLAIN, RLELossless),
    ],
)
def test_bytes_that_contradict_their_transfer_syntax(check, dataset, syntax):
    with pytest.raises(BadDataset) as caught:
        check(dataset, syntax)
    assert caught.value.status == 0xC000


def test_compressed_pixels_in_their_syntax(check):
    frames = encapsulate([b"abcd", b"ef"], has_bot=True)
    value = element(0x7FE00010, "OB", frames, UNDEFINED) + SEQUENCE_END
    seen = check(IDENTITY + value, RLELossless)
    assert seen.pixel_sha256 == hashlib.sha256(frames).hexdigest()


@pytest.mark.parametrize(
    ("uid", "status"),
    [
        (None, 0xC002),
        (b"", 0x0117),
        (b"1.2/../3", 0x0117),
        (b"1.2.A ", 0x0117),
        (b"1" * 66, 0x0117),
        (b"1..2", 0x0117),
        (b"1.2\\1.3", 0x0117),
        (b"\xff.1", 0x0117),
    ],
)
@pytest.mark.parametrize("tag", [0x00080016, 0x00080018, 0x0020000D, 0x0020000E])
def test_uids(check, tag, uid, status):
    dataset = b""
    for part in (0x00080016, 0x00080018, 0x0020000D, 0x0020000E):
        value = uid if part == tag else b"1.2.3\0"
        dataset += b"" if value is None else element(part, "UI", value)
    with pytest.raises(BadDataset) as caught:
        check(dataset)
    assert caught.value.status == status


def test_leading_zeros_in_a_uid_are_taken(check):
    dataset = IDENTITY.replace(b"1.2.3.4.1\0", b"1.02.0304\0")
    assert check(dataset).sop_instance_uid == "1.02.0304"


def deflate(dataset: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(dataset) + packer.flush()


def test_deflated_data_sets(check):
    packed = deflate(PLAIN)
    seen = check(packed, DeflatedExplicitVRLittleEndian)
    assert seen.pixel_sha256 == check(PLAIN).pixel_sha256
    assert seen.dataset_sha256 == hashlib.sha256(packed).hexdigest()
    trailer = struct.pack("<II", zlib.crc32(PLAIN), len(PLAIN))
    for tail in (b"\0", trailer):
        assert check(packed + tail, DeflatedExplicitVRLittleEndian).has_pixels
    for bad in (packed[:-3], packed + b"garbage", b"\xff" + packed[1:], packed + bytes(3) + PLAIN):
        with pytest.raises(BadDataset):
            check(bad, DeflatedExplicitVRLittleEndian)


def test_a_deflate_bomb_stops_early(check, monkeypatch, tmp_path):
    monkeypatch.setattr(scan, "FREE_INFLATION", 4 * 1024**2)
    bomb = deflate(IDENTITY + element(0x7FE00010, "OB", bytes(64 * 1024**2)))
    tracemalloc.start()
    with pytest.raises(BadDataset, match="inflates too far"):
        check(bomb, DeflatedExplicitVRLittleEndian)
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    tracemalloc.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["scan.dcm"]


def test_a_big_instance_costs_little_memory(tmp_path):
    path = part10(tmp_path / "big.dcm", IDENTITY + element(0x7FE00010, "OW", b"", 256 * 1024**2))
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size + 256 * 1024**2)
    tracemalloc.start()
    assert scan_instance(path).has_pixels
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    tracemalloc.stop()


def test_a_text_of_a_megabyte_is_no_identifier(check):
    dataset = IDENTITY.replace(
        element(0x00100020, "LO", b"CANARY-ID "), element(0x00100020, "UT", b"a" * 1024**2)
    )
    with pytest.raises(BadDataset, match="longer than"):
        check(dataset)


def test_a_file_that_cannot_be_read_is_our_fault(tmp_path):
    with pytest.raises(StorageError):
        scan_instance(tmp_path / "none")


def boundaries() -> set[int]:
    """Lengths at which `PLAIN` ends between two elements of its top level."""
    parts = (
        element(0x00080016, "UI", CT),
        element(0x00080018, "UI", b"1.2.3.4.1\0"),
        element(0x00100020, "LO", b"CANARY-ID "),
        element(0x0020000D, "UI", b"1.2.3\0"),
        element(0x0020000E, "UI", b"1.2.3.4\0"),
        PIXELS,
    )
    return {sum(map(len, parts[:count])) for count in range(1, len(parts) + 1)}


def test_cut_off_at_every_byte(check):
    """Refused at every byte but the boundary after the last UID, where nothing can be told."""
    for length in range(len(PLAIN)):
        if length == len(IDENTITY):
            assert not check(PLAIN[:length]).has_pixels
            continue
        with pytest.raises(BadDataset) as caught:
            check(PLAIN[:length])
        expected = 0xC002 if length in boundaries() else 0xC000
        # Zeros too short for an element count as padding, so what lacks is a UID.
        assert caught.value.status in (expected, 0xC002), length


def status_of(path: Path) -> int:
    try:
        scan_instance(path)
    except BadDataset as error:
        return error.status
    return 0


RICH = IDENTITY + b"".join(ACCEPTED.values()) + PIXELS


@pytest.mark.fuzz
@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.integers(0, 255)), max_size=8),
    st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]),
)
def test_changed_bytes_raise_nothing_else(tmp_path_factory, changes, syntax):
    data = bytearray(RICH)
    for position, value in changes:
        data[position] = value
    path = part10(tmp_path_factory.getbasetemp() / "fuzz.dcm", bytes(data), syntax)
    assert status_of(path) in (0, 0xC000, 0xC002, 0x0117)


@pytest.mark.fuzz
@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_random_bytes_raise_nothing_else(tmp_path_factory, data, identified):
    path = tmp_path_factory.getbasetemp() / "random.dcm"
    part10(path, IDENTITY + data if identified else data)
    assert status_of(path) in (0, 0xC000, 0xC002, 0x0117)


BROKEN = {
    "MR_truncated.dcm",
    "SC_rgb_jpeg.dcm",  # implicit data set, explicit transfer syntax
    "no_meta.dcm",  # begins amid an element
    "rtplan_truncated.dcm",
    "DICOMDIR-nooffset",  # sequence longer than the file
    "emri_small_jpeg_2k_lossless_too_short.dcm",
}


def test_every_file_of_the_corpus(corpus, tmp_path):
    """What pydicom reads is taken with the same values; only what is broken is refused."""
    refused, taken = set(), 0
    for path, _ in corpus:
        data = path.read_bytes()
        meta = read_meta(data[:MAX_META])
        if not meta.transfer_syntax_uid:
            continue
        own = part10(tmp_path / "own.dcm", data[meta.dataset_offset :], meta.transfer_syntax_uid)
        try:
            seen = scan_instance(own)
        except BadDataset as error:
            if error.status == 0xC000:
                refused.add(path.name)
            continue
        taken += 1
        header = read_header(own)
        for name in ("sop_class_uid", "sop_instance_uid", "series_instance_uid", "modality"):
            assert getattr(seen, name) == getattr(header, name), path
        assert seen.manufacturer == header.manufacturer, path
        assert seen.manufacturer_model == header.model_name, path
        assert seen.image_type == header.image_type, path
        assert seen.has_pixels == header.has_pixels, path
    assert refused <= BROKEN
    assert taken >= 460


def test_a_bad_data_set_is_not_dicom():
    assert issubclass(BadDataset, NotDicom)
