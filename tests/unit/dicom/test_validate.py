from collections.abc import Iterator

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from pacs_ai.dicom.modules import COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE
from pacs_ai.dicom.validate import check_dataset


@pytest.fixture(autouse=True)
def _any_value() -> Iterator[None]:
    """Let the tests write what pydicom would warn of."""
    with disable_value_validation():
        yield


def code(value="36118008", scheme="SCT", meaning="Pneumothorax") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def common(sop_class: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, "2.25.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.02.3", "2.25.2"
    ds.PatientName, ds.PatientID = "CANARY^NAME", "C" * 99
    ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.StudyID = ""
    ds.ReferringPhysicianName = ds.AccessionNumber = ""
    ds.SeriesNumber, ds.InstanceNumber = 9001, 1
    ds.Manufacturer, ds.ManufacturerModelName = "pacs-ai", "demo"
    ds.DeviceSerialNumber, ds.SoftwareVersions = "2.25.9", "1.0"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    return ds


@pytest.fixture
def capture() -> Dataset:
    ds = common(SECONDARY_CAPTURE)
    ds.Modality, ds.ConversionType, ds.Laterality = "OT", "DI", ""
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 5, 3, 0
    ds.PhotometricInterpretation = "RGB"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes(46)
    ds["PixelData"].VR = "OB"
    return ds


@pytest.fixture
def report() -> Dataset:
    ds = common(COMPREHENSIVE_3D_SR)
    ds.Modality = "SR"
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.ContentDate, ds.ContentTime = "20260101", "120000"
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code()])
    ds.PerformedProcedureCodeSequence = Sequence([])
    ds.ReferencedPerformedProcedureStepSequence = Sequence([])
    finding = Dataset()
    finding.RelationshipType, finding.ValueType = "CONTAINS", "CODE"
    finding.ConceptNameCodeSequence = Sequence([code()])
    finding.ConceptCodeSequence = Sequence([code()])
    ds.ContentSequence = Sequence([finding])
    return ds


def problems(ds: Dataset) -> list[str]:
    return [str(problem) for problem in check_dataset(ds)]


def test_a_whole_capture_and_a_whole_report(capture, report):
    """Even with a PatientID that its source made too long, and leading zeros in its study."""
    assert problems(capture) == []
    assert problems(report) == []


@pytest.mark.parametrize(
    "keyword",
    ["SOPClassUID", "StudyInstanceUID", "Modality", "ConversionType", "Rows", "PixelData"],
)
@pytest.mark.parametrize("remove", [True, False])
def test_type_1_of_a_capture(capture, keyword, remove):
    if remove:
        delattr(capture, keyword)
    else:
        setattr(capture, keyword, None)
    assert any(text.startswith(keyword) for text in problems(capture))


@pytest.mark.parametrize(
    "keyword", ["PatientName", "PatientBirthDate", "AccessionNumber", "SeriesNumber", "Laterality"]
)
def test_type_2_of_a_capture(capture, keyword):
    setattr(capture, keyword, None)
    assert problems(capture) == []
    delattr(capture, keyword)
    assert [text.split()[0] for text in problems(capture)] == [keyword]


@pytest.mark.parametrize(
    "keyword",
    [
        "CompletionFlag",
        "ContentDate",
        "ContentSequence",
        "DeviceSerialNumber",
        "PerformedProcedureCodeSequence",
    ],
)
def test_what_a_report_must_have(report, keyword):
    delattr(report, keyword)
    assert [text.split()[0] for text in problems(report)] == [keyword]


def put(ds: Dataset, tag: int, vr: str, value: object) -> None:
    ds.add_new(tag, vr, value)


@pytest.mark.parametrize(
    ("tag", "vr", "value", "attribute"),
    [
        (0x0008103E, "LO", "x" * 65, "SeriesDescription"),
        (0x00080060, "CS", "lower", "Modality"),
        (0x00080060, "CS", "SEVENTEEN_LETTERS", "Modality"),
        (0x00280030, "DS", "1.23456789012345678", "PixelSpacing"),
        (0x00200013, "IS", "99999999999999", "InstanceNumber"),
        (0x00080021, "DA", "2026-01-01", "SeriesDate"),
        (0x00281055, "LO", ["good", "x" * 65], "WindowCenterWidthExplanation"),
        (0x00081155, "UI", "1.2.x", "ReferencedSOPInstanceUID"),
        (0x00280010, "US", 70000, "Rows"),
    ],
)
def test_illegal_values(capture, tag, vr, value, attribute):
    if attribute == "PixelSpacing":
        tag, attribute = 0x00181164, "ImagerPixelSpacing"
    put(capture, tag, vr, value)
    assert attribute in [text.split()[0] for text in problems(capture)]


def test_illegal_values_deep_inside(report):
    report.ContentSequence[0].ConceptCodeSequence = Sequence([code(meaning="")])
    put(report.ContentSequence[0].ConceptNameCodeSequence[0], 0x00080100, "SH", "x" * 17)
    found = problems(report)
    assert [text.split()[0] for text in found] == [
        "ContentSequence[1].ConceptNameCodeSequence[1].CodeValue",
        "ContentSequence[1].ConceptCodeSequence[1].CodeMeaning",
    ]
    assert not any("xxx" in text for text in found)


def test_content_items(report):
    report.ContentSequence[0].ValueType = "NUMBER"
    assert problems(report) == ["ContentSequence[1].ValueType is not a known value type"]
    report.ContentSequence[0].ValueType = "TEXT"
    assert problems(report) == ["ContentSequence[1].TextValue must have a value (type 1)"]
    del report.ContentSequence[0].RelationshipType
    assert len(problems(report)) == 2


def test_identity(capture):
    capture.file_meta.MediaStorageSOPInstanceUID = "2.25.3"
    assert problems(capture) == ["MediaStorageSOPInstanceUID differs from SOPInstanceUID"]
    capture.file_meta.MediaStorageSOPInstanceUID = capture.SOPInstanceUID = "2.25.01"
    assert problems(capture) == ["SOPInstanceUID is not a UID (PS3.5 Section 9.1)"]
    del capture.file_meta.TransferSyntaxUID
    assert len(problems(capture)) == 2


def test_pixels_must_fit_their_shape(capture):
    capture.Rows = 4
    del capture.PlanarConfiguration
    assert [text.split()[0] for text in problems(capture)] == ["PlanarConfiguration", "PixelData"]


def test_names_beyond_ascii_need_a_character_set(capture):
    capture.SeriesDescription = "Röntgen"
    assert problems(capture) == []
    del capture.SpecificCharacterSet
    assert problems(capture) == ["SeriesDescription needs a SpecificCharacterSet"]


def test_another_class_needs_the_common_modules_only():
    ds = common("1.2.840.10008.5.1.4.1.1.11.1")
    ds.Modality = "KO"
    assert problems(ds) == []
    del ds.PatientID
    assert problems(ds) == ["PatientID must be present (type 2)"]
