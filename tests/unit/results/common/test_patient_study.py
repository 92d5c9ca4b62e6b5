from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.results.common.evidence import Evidence, read_source
from pacs_ai.results.common.patient_study import copy_identity
from tests.unit.results.samples import ct_slice, save

NAMES = {
    "japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "katakana": ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    "korean": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
    "chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "cyrillic": ("ISO_IR 144", "Иванов^Пётр"),
    "greek": ("ISO_IR 126", "Διονυσιος"),
    "arabic": ("ISO_IR 127", "قباني^لنزار"),
    "hebrew": ("ISO_IR 138", "שרון^דבורה"),
    "western": ("ISO_IR 100", "Buc^Jérôme"),
    "utf-8": ("ISO_IR 192", "Wang^XiaoDong=王^小東=Γ^Ж"),
}


def copied(source: Dataset, folder: Path) -> Dataset:
    """What a result has of a source, both written to files and read back."""
    target = Dataset()
    target.SpecificCharacterSet = "ISO_IR 192"
    with quiet():
        copy_identity(read_source(save(source, folder / "source.dcm")), target)
        buffer = BytesIO()
        target.save_as(buffer, implicit_vr=False, little_endian=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()), force=True)


@pytest.mark.parametrize(("charset", "name"), NAMES.values(), ids=NAMES)
def test_a_name_survives_whatever_its_character_set(
    charset: str, name: str, tmp_path: Path
) -> None:
    nested = Dataset()
    nested.PatientID, nested.IssuerOfPatientID = "ID2", name.partition("=")[2] or name
    nested.TypeOfPatientID = "TEXT"
    source = ct_slice(
        SpecificCharacterSet=charset.split("\\"),
        PatientName=name,
        OtherPatientIDsSequence=[nested],
    )
    result = copied(source, tmp_path)
    [item] = result.OtherPatientIDsSequence
    [written] = pydicom.dcmread(tmp_path / "source.dcm").OtherPatientIDsSequence
    assert str(result.PatientName) == name
    assert (item.PatientID, item.IssuerOfPatientID) == ("ID2", written.IssuerOfPatientID)


def test_every_attribute_of_patient_and_study_is_taken_over(tmp_path: Path) -> None:
    extra = {
        "IssuerOfPatientID": "HOSPITAL",
        "PatientAge": "055Y",
        "PatientWeight": "61.50",
        "PatientSize": "1.700",
        "AdditionalPatientHistory": "none",
        "StudyDescription": "  Chest  with   gaps",
        "OtherPatientIDs": ["A", "B"],
        "PatientComments": "x",
        "ReferringPhysicianName": "Ref^Doctor^^Dr.",
    }
    source = ct_slice(**extra)
    result = copied(source, tmp_path)
    for keyword in (*extra, "PatientID", "PatientBirthDate", "StudyDate", "StudyTime", "StudyID"):
        assert str(result[keyword].value) == str(source[keyword].value), keyword
    assert result.PatientWeight.original_string == "61.50"


def test_what_is_empty_stays_empty_and_what_is_missing_is_present_if_mandatory(
    tmp_path: Path,
) -> None:
    result = copied(ct_slice(PatientSex="", PatientBirthDate=None, StudyID=None), tmp_path)
    for keyword in ("PatientSex", "PatientBirthDate", "StudyID"):
        assert keyword in result
        assert not result[keyword].value
    assert "PatientAge" not in result


def test_the_scanner_is_not_copied(tmp_path: Path) -> None:
    result = copied(ct_slice(InstitutionName="x", StationName="y"), tmp_path)
    assert not {"Manufacturer", "InstitutionName", "StationName"} & set(result.dir())


MALFORMED = {
    "AccessionNumber": ("SH", "LONGER THAN SIXTEEN CHARACTERS"),
    "StudyDate": ("DA", "2020.13.45"),
    "StudyTime": ("TM", "noon"),
    "PatientSex": ("CS", "female!"),
    "PatientSexNeutered": ("CS", "PERHAPS"),
    "PatientWeight": ("DS", "heavy"),
    "PatientSize": ("DS", "1,70"),
    "PatientAge": ("AS", "9"),
    "PatientBirthDate": ("DA", "00000000"),
    "ReferringPhysicianName": ("SH", "A^B^C^D^E^F^G=b=c"),
    "StudyDescription": ("LO", "x" * 65),
    "StudyID": ("SH", "two\\values"),
    "PregnancyStatus": ("US", 9),
}


@pytest.mark.parametrize("keyword", MALFORMED)
def test_a_malformed_value_is_left_out_and_named(keyword: str, tmp_path: Path) -> None:
    vr, value = MALFORMED[keyword]
    source = ct_slice()
    source[keyword] = DataElement(keyword, vr, value, already_converted=True)
    result = copied(source, tmp_path)
    assert not result.get(keyword)
    assert check_dataset(complete(result)) == []
    evidence = Evidence([read_header(tmp_path / "source.dcm")])
    assert evidence.left_out == (keyword,)


def complete(result: Dataset) -> Dataset:
    """What a result has besides patient and study."""
    result = Dataset({element.tag: element for element in result})
    result.StudyInstanceUID = result.SOPClassUID = result.SOPInstanceUID = (
        result.SeriesInstanceUID
    ) = "1.2"
    result.Modality, result.SeriesNumber, result.Manufacturer = "OT", 1, ""
    return result


@pytest.mark.parametrize("number", ["x" * 80, "two\\values"])
def test_an_odd_patient_id_stays_as_it_is(number: str, tmp_path: Path) -> None:
    """Archives put a study without its patient's number elsewhere."""
    source = ct_slice()
    source["PatientID"] = DataElement("PatientID", "LO", number, already_converted=True)
    result = copied(source, tmp_path)
    raw = result.get_item("PatientID")
    assert raw is not None
    assert raw.value.decode().rstrip() == number
    with quiet():
        assert check_dataset(complete(result)) == []
        assert number.count("\\") + 1 == result["PatientID"].VM


def test_dates_and_times_of_before_dicom_are_written_as_today(tmp_path: Path) -> None:
    source = ct_slice()
    for keyword, vr, value in (("StudyDate", "DA", "1993.08.22"), ("StudyTime", "TM", "10:20:30")):
        source[keyword] = DataElement(keyword, vr, value, already_converted=True)
    result = copied(source, tmp_path)
    assert (result.StudyDate, result.StudyTime) == ("19930822", "102030")


def test_a_value_under_the_wrong_vr_does_not_stop_a_result(tmp_path: Path) -> None:
    source = ct_slice()
    source["StudyDescription"] = DataElement("StudyDescription", "UN", b"Chest ")
    source["PatientAge"] = DataElement("PatientAge", "OB", b"\xff\xfe")
    assert copied(source, tmp_path).PatientID == "ID1"


def test_a_number_of_the_wrong_length_is_left_out() -> None:
    source, target = ct_slice(), Dataset()
    tag = Tag("PregnancyStatus")
    source[tag] = RawDataElement(tag, "US", 3, b"abc", 0, False, True)
    copy_identity(source, target)
    assert "PregnancyStatus" not in target
    assert target.PatientID == "ID1"


def test_codes_that_are_none_are_left_out(tmp_path: Path) -> None:
    def code(**values: str) -> Dataset:
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return item

    whole = code(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="胸部")
    urn = code(URNCodeValue="urn:x", CodeMeaning="m")
    half = [code(CodeValue="1", CodeMeaning="m"), code(CodingSchemeDesignator="LN"), code()]
    source = ct_slice(
        SpecificCharacterSet="ISO_IR 192",
        ProcedureCodeSequence=[whole, urn, *half],
        RequestingServiceCodeSequence=half,
    )
    result = copied(source, tmp_path)
    assert [item.CodeMeaning for item in result.ProcedureCodeSequence] == ["胸部", "m"]
    assert "RequestingServiceCodeSequence" not in result


def test_a_trial_s_module_is_completed(tmp_path: Path) -> None:
    result = copied(ct_slice(ClinicalTrialTimePointDescription="follow-up"), tmp_path)
    assert "ClinicalTrialTimePointID" in result
    assert "ClinicalTrialSiteID" not in result
