"""What is refused, with which status, and at what cost."""

import tracemalloc

import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pacs_ai.dicom import scan
from pacs_ai.dicom.element_encoding import BadDataset
from pacs_ai.dicom.elements import MAX_DEPTH
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.errors import NotDicom, StorageError
from tests.unit.dicom.raw_dataset import (
    CT,
    IDENTITY,
    ITEM_END,
    NAME,
    PIXELS,
    PLAIN,
    SEQUENCE_END,
    UNDEFINED,
    deflate,
    element,
    implicit,
    item,
    sequence,
)


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


def test_a_deflate_bomb_stops_early(check, monkeypatch, tmp_path):
    monkeypatch.setattr(scan, "FREE_INFLATION", 4 * 1024**2)
    bomb = deflate(IDENTITY + element(0x7FE00010, "OB", bytes(64 * 1024**2)))
    tracemalloc.start()
    with pytest.raises(BadDataset, match="inflates too far"):
        check(bomb, DeflatedExplicitVRLittleEndian)
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024**2
    tracemalloc.stop()
    assert [path.name for path in tmp_path.iterdir()] == ["scan.dcm"]


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


def test_a_bad_data_set_is_not_dicom():
    assert issubclass(BadDataset, NotDicom)
