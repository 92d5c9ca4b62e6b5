import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from pacs_ai.dicom.constant_dataset import constant
from pacs_ai.dicom.validate import check_content
from pacs_ai.dicom.writing import part10


def item(meaning: str = "Lesion") -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "1", "99X", meaning
    text = Dataset()
    text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", "something"
    text.ConceptNameCodeSequence = [code]
    group = Dataset()
    group.ValueType, group.ContinuityOfContent = "CONTAINER", "SEPARATE"
    group.ContentSequence = [text]
    return group


def test_a_constant_cannot_be_changed_at_any_depth() -> None:
    shared = constant(item())
    with pytest.raises(TypeError, match="cannot be changed"):
        shared.ValueType = "TEXT"
    with pytest.raises(TypeError, match="cannot be changed"):
        shared.ContentSequence[0].ConceptNameCodeSequence[0].CodeMeaning = "other"
    with pytest.raises(TypeError, match="cannot be changed"):
        del shared["ValueType"]
    assert shared == constant(item())


def test_what_it_was_made_of_can_still_be_changed() -> None:
    group = item()
    shared = constant(group)
    group.ContentSequence[0].TextValue = "other"
    assert shared.ContentSequence[0].TextValue == "something"


def test_a_constant_is_written_like_any_other_item() -> None:
    written = []
    for group in (item(), constant(item()), constant(item())):
        ds = Dataset()
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.SOPClassUID, ds.SOPInstanceUID = Comprehensive3DSRStorage, "1.2.3"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.ContentSequence = [group]
        written += [part10(ds), part10(ds)]
    assert len(set(written)) == 1


def test_content_is_checked_before_it_is_shared() -> None:
    assert check_content(item()) == []
    assert [str(one) for one in check_content(item(meaning=""))] == [
        "ContentSequence[1].ConceptNameCodeSequence[1].CodeMeaning must have a value (type 1)"
    ]
    nameless = item()
    del nameless.ContentSequence[0].ConceptNameCodeSequence
    assert check_content(nameless) != []
