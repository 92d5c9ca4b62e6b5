"""The writer of results against pydicom's: the same bytes."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from pacs_ai.dicom.writing import part10, part10_pieces

TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\\"), max_size=20
)


def dataset() -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.ImplementationClassUID = "1.2.3.4"
    ds.file_meta.ImplementationVersionName = "WRITER_TEST"
    return ds


def by_pydicom(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def everything() -> Dataset:
    ds = dataset()
    ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    ds.PatientBirthDate, ds.StudyTime = "19700102", None
    ds.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    ds.PixelSpacing = ["0.50", "1e-3"]
    ds.SeriesNumber, ds.InstanceNumber = "0012", None
    ds.Rows, ds.Columns = 1, 3
    ds.SmallestImagePixelValue = -3
    ds["SmallestImagePixelValue"].VR = "SS"
    ds.GraphicData = [1.5, 2.25]
    ds.ReferencedFrameNumber = [1, 2]
    ds.FrameIncrementPointer = 0x00181063
    ds.DoubleFloatRealWorldValueFirstValueMapped = 0.25
    ds.FloatPixelData = np.arange(3, dtype="<f4").tobytes()
    ds.PixelData = b"\1\2\3"
    ds["PixelData"].VR = "OB"
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "Größe"
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "1.2"
    item.ReferencedSOPSequence = [inner, Dataset()]
    ds.ConceptNameCodeSequence = [item]
    ds.PerformedProcedureCodeSequence = []
    return ds


def test_every_kind_of_element_is_written_as_pydicom_does() -> None:
    assert part10(everything()) == by_pydicom(everything())


def test_what_is_written_is_read_again() -> None:
    read = pydicom.dcmread(BytesIO(part10(everything())))
    assert read.PatientName == everything().PatientName
    assert read.ConceptNameCodeSequence[0].CodeMeaning == "Größe"
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3"


@given(TEXT, TEXT, st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=4))
def test_any_text_and_number_is_written_as_pydicom_does(
    short: str, long: str, numbers: list[float]
) -> None:
    ds = dataset()
    ds.StudyDescription, ds.TextValue, ds.GraphicData = short, long, numbers
    assert part10(ds) == by_pydicom(ds)


def test_pixels_are_a_piece_of_their_own_and_not_copied() -> None:
    ds = everything()
    ds.PixelData = bytes(2 << 20)
    ds["PixelData"].VR = "OB"
    pieces = part10_pieces(ds)
    assert len(pieces) <= 3
    assert any(piece is ds.PixelData for piece in pieces)
    assert b"".join(pieces) == by_pydicom(ds)


def test_writing_does_not_change_what_is_written() -> None:
    ds = everything()
    assert part10(ds) == part10(ds)
    assert "MediaStorageSOPClassUID" not in ds.file_meta


@pytest.mark.parametrize("change", ["syntax", "character set"])
def test_anything_else_than_results_is_refused(change: str) -> None:
    ds = dataset()
    if change == "syntax":
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    else:
        ds.SpecificCharacterSet = "ISO_IR 100"
    with pytest.raises(ValueError, match="only"):
        part10(ds)
