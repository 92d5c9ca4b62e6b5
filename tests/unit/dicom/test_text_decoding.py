"""Text of a data set, decoded in place at every depth, whatever it was written in."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from pacs_ai.dicom.text_decoding import decode_text

NAME, DESCRIPTION, HISTORY = 0x00100010, 0x00081030, 0x001021B0
OTHER_IDS, PATIENT_ID, CHARSET = 0x00101002, 0x00100020, 0x00080005
VRS = {NAME: b"PN", DESCRIPTION: b"LO", HISTORY: b"LT", PATIENT_ID: b"LO", CHARSET: b"CS"}
ENDLESS = 0xFFFFFFFF


def element(tag: int, value: bytes, vr: bytes, *, explicit: bool) -> bytes:
    value += b" " * (len(value) % 2)
    head = tag.to_bytes(4, "little")
    head = head[2:] + head[:2]
    if not explicit:
        return head + len(value).to_bytes(4, "little") + value
    if vr in (b"SQ", b"UN"):
        return head + vr + b"\0\0" + len(value).to_bytes(4, "little") + value
    return head + vr + len(value).to_bytes(2, "little") + value


def item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def read(values: dict[int, bytes], *, explicit: bool, unknown: bool = False) -> Dataset:
    content = b"".join(
        element(tag, value, b"UN" if unknown else VRS.get(tag, b"SQ"), explicit=explicit)
        for tag, value in sorted(values.items())
    )
    found: Dataset = read_dataset(BytesIO(content), not explicit, is_little_endian=True)
    return found


@pytest.mark.parametrize("explicit", [True, False])
def test_each_text_is_decoded_by_its_own_rules(explicit: bool) -> None:
    values = {
        CHARSET: b"ISO 2022 IR 100\\ISO 2022 IR 144",
        NAME: b"\xc4^\x1b-L\xbf^\xe4",
        DESCRIPTION: b"a\xe4\\b\xf6",
        HISTORY: b"one \\ two\r\n\x1b-L\xbf\r\n\xe4\0",
    }
    ds = read(values, explicit=explicit)
    assert decode_text(ds) == []
    assert str(ds.PatientName) == "Ä^П^ä"
    assert ds.StudyDescription == ["aä", "bö"]
    assert ds.AdditionalPatientHistory == "one \\ two\r\nП\r\nä"


def test_a_text_of_an_unknown_vr_is_text() -> None:
    ds = read({DESCRIPTION: b"Sch\xc3\xa4del"}, explicit=True, unknown=True)
    ds.SpecificCharacterSet = "ISO_IR 192"
    assert decode_text(ds) == []
    assert ds.StudyDescription == "Schädel"


@pytest.mark.parametrize("explicit", [True, False])
def test_items_have_the_set_around_them_or_their_own(explicit: bool) -> None:
    def identity(*values: tuple[int, bytes]) -> bytes:
        return item(b"".join(element(tag, v, VRS[tag], explicit=explicit) for tag, v in values))

    around = identity((PATIENT_ID, b"\xc4"))
    own = identity((CHARSET, b"ISO_IR 144"), (PATIENT_ID, b"\xbf"))
    wrong = identity((CHARSET, b"ISO_IR 192"), (PATIENT_ID, b"\xbf"))
    ds = read({CHARSET: b"ISO_IR 100", OTHER_IDS: around + own + wrong}, explicit=explicit)
    assert decode_text(ds) == ["OtherPatientIDsSequence.PatientID"]
    one, two, three = ds.OtherPatientIDsSequence
    assert (one.PatientID, two.PatientID) == ("Ä", "П")
    assert "PatientID" not in three


def test_of_a_name_only_the_group_that_means_nothing_is_gone() -> None:
    ds = read({CHARSET: b"ISO_IR 192", NAME: b"Doe^Jane=\xff=\xe3\x81\x82"}, explicit=True)
    assert decode_text(ds) == ["PatientName"]
    assert str(ds.PatientName) == "Doe^Jane==あ"


@pytest.mark.parametrize("raw", [b"a\0b", b"a\x07", b"a\x1c", b"\xc2\x85", b"a\x7f"])
def test_a_control_character_is_no_text(raw: bytes) -> None:
    ds = read({CHARSET: b"ISO_IR 192", DESCRIPTION: raw}, explicit=True)
    assert decode_text(ds) == ["StudyDescription"]
    assert "StudyDescription" not in ds
