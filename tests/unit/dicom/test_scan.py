"""What is taken, and what it tells."""

import struct
import tracemalloc
import zlib

import pytest
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

from pacs_ai.dicom.element_encoding import BadDataset
from pacs_ai.dicom.scan import scan_instance
from pacs_ai.digests import digest_of
from tests.unit.dicom.raw_dataset import (
    ACCEPTED,
    CT,
    IDENTITY,
    PIXELS,
    PLAIN,
    SEQUENCE_END,
    UNDEFINED,
    deflate,
    element,
    implicit,
    part10,
)


def test_what_a_whole_data_set_tells(check):
    seen = check(PLAIN)
    assert seen.sop_class_uid == CT.decode().rstrip("\0")
    assert (seen.study_instance_uid, seen.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert seen.sop_instance_uid == "1.2.3.4.1"
    assert (seen.patient.patient_id, seen.accession_number) == ("CANARY-ID", "")
    assert seen.transfer_syntax_uid == ExplicitVRLittleEndian
    assert seen.has_pixels
    assert seen.dataset_bytes == len(PLAIN)
    assert seen.dataset_digest == digest_of(PLAIN)
    assert seen.pixel_digest == digest_of(bytes(range(48)))
    assert check(PLAIN, hash_pixels=False).pixel_digest == ""


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
    assert len(seen.pixel_digest) == 71


def test_values_in_another_character_set(make):
    path = make(
        SpecificCharacterSet="ISO_IR 192", PatientID="山田", Manufacturer="Röntgen", Modality="CT"
    )
    seen = scan_instance(path)
    assert (seen.patient.patient_id, seen.manufacturer, seen.modality) == ("山田", "Röntgen", "CT")


@pytest.mark.parametrize("extra", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_archives_accept(check, extra):
    assert check(IDENTITY + extra + PIXELS).pixel_digest == check(PLAIN).pixel_digest


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


def test_compressed_pixels_in_their_syntax(check):
    frames = encapsulate([b"abcd", b"ef"], has_bot=True)
    value = element(0x7FE00010, "OB", frames, UNDEFINED) + SEQUENCE_END
    seen = check(IDENTITY + value, RLELossless)
    assert seen.pixel_digest == digest_of(frames)


def test_leading_zeros_in_a_uid_are_taken(check):
    dataset = IDENTITY.replace(b"1.2.3.4.1\0", b"1.02.0304\0")
    assert check(dataset).sop_instance_uid == "1.02.0304"


def test_deflated_data_sets(check):
    packed = deflate(PLAIN)
    seen = check(packed, DeflatedExplicitVRLittleEndian)
    assert seen.pixel_digest == check(PLAIN).pixel_digest
    assert seen.dataset_digest == digest_of(packed)
    trailer = struct.pack("<II", zlib.crc32(PLAIN), len(PLAIN))
    for tail in (b"\0", trailer):
        assert check(packed + tail, DeflatedExplicitVRLittleEndian).has_pixels
    for bad in (packed[:-3], packed + b"garbage", b"\xff" + packed[1:], packed + bytes(3) + PLAIN):
        with pytest.raises(BadDataset):
            check(bad, DeflatedExplicitVRLittleEndian)


def test_a_big_instance_costs_little_memory(tmp_path):
    path = part10(tmp_path / "big.dcm", IDENTITY + element(0x7FE00010, "OW", b"", 256 * 1024**2))
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size + 256 * 1024**2)
    tracemalloc.start()
    assert scan_instance(path).has_pixels
    assert tracemalloc.get_traced_memory()[1] < 4 * 1024**2
    tracemalloc.stop()
