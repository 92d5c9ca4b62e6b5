from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_ai.dicom.header import is_dicom_file, read_facts, read_header
from pacs_ai.errors import NotDicom, StorageError


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.1", ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_a_header_tells_what_selection_needs(make, syntax):
    path = make(
        syntax,
        ImagePositionPatient=[1, 2, 3.5],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        InstanceNumber=7,
        BodyPartExamined="HEAD",
        Manufacturer="ACME",
    )
    header = read_header(path)
    assert header.path == path
    assert header.sop_instance_uid == "1.2.3.4.1"
    assert header.transfer_syntax_uid == syntax
    assert (header.rows, header.columns, header.frames) == (4, 6, 1)
    assert header.position_mm == (1, 2, 3.5)
    assert header.orientation == (1, 0, 0, 0, 1, 0)
    assert (header.instance_number, header.body_part) == (7, "HEAD")
    assert header.image_type == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert header.has_pixels


def test_shared_groups_give_the_plane_of_an_enhanced_image(make):
    plane, position, group = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = [0, 1, 0, 0, 0, 1]
    position.ImagePositionPatient = [5, 6, 7]
    group.PlaneOrientationSequence = Sequence([plane])
    group.PlanePositionSequence = Sequence([position])
    header = read_header(make(SharedFunctionalGroupsSequence=Sequence([group])))
    assert header.orientation == (0, 1, 0, 0, 0, 1)
    assert header.position_mm == (5, 6, 7)


def test_values_that_are_no_numbers_count_as_absent(make, tmp_path):
    path = make(InstanceNumber=7, NumberOfFrames=1)
    data = path.read_bytes().replace(b"IS\x02\x007 ", b"IS\x02\x00x ")
    odd = tmp_path / "odd.dcm"
    odd.write_bytes(data.replace(b"IS\x02\x001 ", b"IS\x02\x001A"))
    header = read_header(odd)
    assert (header.instance_number, header.frames) == (0, 1)


@pytest.mark.parametrize(
    "keyword", ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]
)
def test_a_missing_uid_is_named(make, keyword):
    with pytest.raises(NotDicom, match=keyword):
        read_header(make(**{keyword: None}))


@pytest.mark.parametrize("content", [b"", b"\0" * 400, b"%PDF-1.7\n" * 50, b"\xff" * 4096])
def test_what_is_not_dicom_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_dicom_file(path)
    with pytest.raises(NotDicom):
        read_header(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert not is_dicom_file(tmp_path / "none")
    with pytest.raises(StorageError):
        read_header(tmp_path / "none")


def test_facts_keep_lists_and_leave_the_unknown_out(make):
    path = make(BodyPartExamined="", StationName="A")
    keywords = ("Modality", "ImageType", "BodyPartExamined", "NoSuchKeyword", "Laterality")
    assert read_facts(path, keywords) == {
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "BodyPartExamined": "",
    }


def test_header_of_every_file_of_the_corpus(corpus):
    for path, row in corpus:
        try:
            header = read_header(path)
        except NotDicom:
            assert not (row["study_uid"] and row["series_uid"] and row["sop_class"]), path
            continue
        assert is_dicom_file(path) or "BigEndNoMeta" in path.name, path
        assert header.series_instance_uid == row["series_uid"] or not row["series_uid"], path
        assert header.modality == row["modality"] or not row["modality"], path
        if row["rows"]:
            assert (header.rows, header.columns) == (int(row["rows"]), int(row["cols"])), path


def test_nested_too_deep_is_refused_and_not_a_crash(tmp_path):
    deep = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000
    path = Path(tmp_path / "deep")
    path.write_bytes(b"\0" * 128 + b"DICM" + deep)
    with pytest.raises(NotDicom):
        read_header(path)
