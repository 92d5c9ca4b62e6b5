"""Changed bytes, random bytes, and all files of a corpus."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_ai.dicom.element_encoding import BadDataset
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.part10 import MAX_META, read_meta
from pacs_ai.dicom.scan import scan_instance
from tests.unit.dicom.raw_dataset import ACCEPTED, IDENTITY, PIXELS, part10


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
