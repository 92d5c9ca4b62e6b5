"""What a copy is: consistent names, options, pixels, and what is left out."""

import datetime as dt
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicognito.anonymizer import Anonymizer
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs_ai.deidentify.instance import deidentify
from pacs_ai.deidentify.kept import DEVICE
from pacs_ai.deidentify.profile import Profile, Retain
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.part10 import read_meta
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.writing import part10
from pacs_ai.errors import DataError, UnsupportedPixels
from tests.samples import sample

PSEUDONYMS = Pseudonyms(b"a secret of tests")
SEEDED = "ZQSEEDEDXK"
EVERYTHING = Profile(frozenset(Retain))


def copied(
    path: Path, profile: Profile = EVERYTHING, *, patient: str = "patient", burned_in: bool = False
) -> Dataset:
    copy = deidentify(path, patient, profile, PSEUDONYMS, with_burned_in=burned_in)
    return pydicom.dcmread(BytesIO(part10(copy)))


def at(digits: str) -> dt.datetime:
    return dt.datetime.fromisoformat(digits[:8] + ("T" + digits[8:] if digits[8:] else ""))


def changed(path: Path, folder: Path, **changes: object) -> Path:
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        with pydicom.config.disable_value_validation():
            setattr(dataset, keyword, value)
    target = folder / "changed.dcm"
    dataset.save_as(target)
    return target


def test_names_are_the_same_for_the_same(phantoms: dict[str, Path], tmp_path: Path) -> None:
    first, again = copied(phantoms["CT"]), copied(phantoms["CT"], Profile())
    assert first.StudyInstanceUID == again.StudyInstanceUID
    assert first.PatientID == first.PatientName == again.PatientID
    assert copied(phantoms["CT"], patient="other").PatientID != first.PatientID
    other = copied(changed(phantoms["CT"], tmp_path, SOPInstanceUID="1.2.3"))
    assert other.SeriesInstanceUID == first.SeriesInstanceUID
    assert other.SOPInstanceUID != first.SOPInstanceUID
    elsewhere = deidentify(phantoms["CT"], "patient", Profile(), Pseudonyms(b"another"))
    assert elsewhere.PatientID != first.PatientID
    assert elsewhere.StudyInstanceUID != first.StudyInstanceUID


def test_a_copy_says_what_was_done(phantoms: dict[str, Path]) -> None:
    copy = copied(phantoms["DX"])
    assert copy.PatientIdentityRemoved == "YES"
    codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113107", "113109", "113108"]
    assert copy.LongitudinalTemporalInformationModified == "MODIFIED"
    basic = copied(phantoms["DX"], Profile())
    assert [item.CodeValue for item in basic.DeidentificationMethodCodeSequence] == ["113100"]
    assert basic.LongitudinalTemporalInformationModified == "REMOVED"
    assert basic.StudyDate == basic.StudyTime == basic.PatientSex == ""
    assert "Manufacturer" not in basic
    assert basic.file_meta.get("ImplementationVersionName") is None
    assert part10(deidentify(phantoms["DX"], "p", Profile(), PSEUDONYMS))[:128] == bytes(128)


def test_dates_move_together(phantoms: dict[str, Path], tmp_path: Path) -> None:
    dates = {"StudyDate": "20200229", "StudyTime": "235959.5", "SeriesDate": "2020.03.01"}
    dates |= {"AcquisitionDateTime": "20200301000001.25+0100", "ContentDate": "no date"}
    copy = copied(changed(phantoms["CT"], tmp_path, **dates))
    study = at(f"{copy.StudyDate}{copy.StudyTime}")
    moment = at(copy.AcquisitionDateTime)
    assert (moment - study).total_seconds() == 2
    assert (at("20200229") - study).days > 365
    assert 0 <= (at(copy.SeriesDate).date() - study.date()).days <= 2
    assert "ContentDate" not in copy


@pytest.mark.parametrize(
    ("written", "shown"), [("047Y", "047Y"), ("093Y", "090Y"), ("011M", "011M"), ("old", None)]
)
def test_the_patient_is_described_if_that_is_wanted(
    written: str, shown: str | None, phantoms: dict[str, Path], tmp_path: Path
) -> None:
    path = changed(phantoms["CT"], tmp_path, PatientAge=written, PatientSex="F", PatientWeight=71.5)
    copy = copied(path, Profile(frozenset({Retain.PATIENT})))
    assert copy.get("PatientAge") == shown
    assert (copy.PatientSex, copy.PatientWeight) == ("F", 71.5)
    assert "PatientAge" not in copied(path, Profile())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned in"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, "ultrasound"),
        ({"Modality": "US"}, "modality US"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "picture of a screen"),
        ({"ConversionType": "DF"}, "converted"),
    ],
)
def test_pixels_that_may_show_text_are_left_out(
    changes: dict[str, object], why: str, phantoms: dict[str, Path], tmp_path: Path
) -> None:
    path = changed(phantoms["CR"], tmp_path, **changes)
    with pytest.raises(DataError, match=why):
        copied(path)
    assert copied(path, burned_in=True).BurnedInAnnotation == "YES"


def test_what_is_no_image_is_left_out(phantoms: dict[str, Path], tmp_path: Path) -> None:
    for name in ("test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm"):
        with pytest.raises(DataError, match="no image"):
            copied(sample(name))
    private = changed(phantoms["CT"], tmp_path, SOPClassUID="1.3.12.2.1107.5.9.1")
    with pytest.raises(DataError, match="no kind"):
        copied(private)
    with pytest.raises(DataError, match="no known Modality"):
        copied(changed(phantoms["CT"], tmp_path, Modality=SEEDED))
    with pytest.raises(UnsupportedPixels):
        copied(changed(phantoms["CT"], tmp_path, Rows=1))


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk.dcm", "JPEG2000.dcm"])
def test_nothing_around_compressed_frames_comes_along(name: str, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(sample(name))
    token = f"{SEEDED}{SEEDED[0]}".encode()
    count = int(dataset.get("NumberOfFrames", 1))
    frames = [frame + token for frame in generate_frames(dataset.PixelData, number_of_frames=count)]
    if name.startswith("SC"):  # a comment segment behind the start of the image
        comment = b"\xff\xfe" + (len(token) + 2).to_bytes(2) + token
        frames = [frame[:2] + comment + frame[2:] for frame in frames]
    dataset.PixelData = encapsulate(frames)
    path = tmp_path / "compressed.dcm"
    dataset.save_as(path)
    assert SEEDED.encode() in path.read_bytes()
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(part10(deidentify(path, "p", Profile(), PSEUDONYMS, with_burned_in=True)))
    assert SEEDED.encode() not in copy.read_bytes()
    assert np.array_equal(read_pixels(copy), read_pixels(path))


def test_bits_that_are_not_stored_are_cleared(phantoms: dict[str, Path], tmp_path: Path) -> None:
    """An old overlay lies in the high bits of the pixels (retired: PS3.5 Section 8.1.1)."""
    dataset = pydicom.dcmread(phantoms["CR"])
    words = np.frombuffer(dataset.PixelData, "<u2") | 0x8000
    path = changed(phantoms["CR"], tmp_path, PixelData=words.tobytes() + SEEDED.encode() + b"\0")
    copy = copied(path)
    assert np.array_equal(np.frombuffer(copy.PixelData, "<u2"), words & 0x7FFF)


def test_nothing_stays_that_another_program_removes() -> None:
    """dicognito, which has rules of its own, as a second opinion."""
    for name in ("CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"):
        original, theirs = (pydicom.dcmread(sample(name)) for _ in range(2))
        Anonymizer(seed="test").anonymize(theirs)
        ours = copied(sample(name), Profile(), burned_in=True)
        for element in original.iterall():
            other = theirs.get(element.tag)
            if (
                element.VR != "SQ"
                and element.value
                and (other is None or other.value != element.value)
            ):
                assert element.tag not in ours or ours[element.tag].value != element.value, element


TEXTS = [
    tag
    for tag, entry in DicomDictionary.items()
    if entry[0] in ("LO", "PN", "UT", "SH", "CS", "DA")
]
GROUPS = 0x52009229
HELD = {pydicom.tag.Tag(keyword) for keyword in (*DEVICE, "Modality", "PhotometricInterpretation")}


def encoded(tag: int, vr: str, value: bytes, *, implicit: bool) -> bytes:
    """One element as it stands in a file, least significant byte first."""
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack("<L", len(value)) + value
    if vr in ("OB", "UN", "UT", "SQ"):
        return head + vr.encode() + struct.pack("<HL", 0, len(value)) + value
    return head + vr.encode() + struct.pack("<H", len(value)) + value


def nested(elements: bytes, depth: int, *, implicit: bool) -> bytes:
    for _ in range(depth):
        item = struct.pack("<HHL", 0xFFFE, 0xE000, len(elements)) + elements
        elements = encoded(GROUPS, "SQ", item, implicit=implicit)
    return elements


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[bytes, bytes]]:
    """An image in implicit and in explicit VR: its head, and its data set."""
    found = {}
    for implicit in (False, True):
        dataset = pydicom.dcmread(sample("CT_small.dcm"))
        syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
        path = tmp_path_factory.mktemp("parts") / "image.dcm"
        dataset.save_as(path, implicit_vr=implicit, little_endian=True)
        data = path.read_bytes()
        start = read_meta(data).dataset_offset
        found[implicit] = data[:start], data[start:]
    return found


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tags=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8, unique=True),
    vr=st.sampled_from(["LO", "UT", "UN", "OB", "ST", "PN", "DA", "IS", "CS", "US"]),
    text=st.binary(max_size=6),
    depth=st.integers(0, 4),
    implicit=st.booleans(),
    last=st.booleans(),
)
def test_cousins(
    *,
    tags: list[int],
    vr: str,
    text: bytes,
    depth: int,
    implicit: bool,
    last: bool,
    tmp_path: Path,
    parts: dict[bool, tuple[bytes, bytes]],
) -> None:
    """A token in any element of text, in a VR of any kind, nested, before or behind the others."""
    seeded = b"".join(
        encoded(tag, vr, text + SEEDED.encode(), implicit=implicit)
        for tag in tags
        if tag >> 16 > 2 and pydicom.tag.Tag(tag) not in HELD
    )
    seeded = nested(seeded, depth, implicit=implicit)
    head, rest = parts[implicit]
    pixels = rest.rindex(b"\xe0\x7f\x10\x00")
    path = tmp_path / "cousin.dcm"
    path.write_bytes(head + (rest[:pixels] + seeded + rest[pixels:] if last else seeded + rest))
    try:
        copy = part10(deidentify(path, "p", EVERYTHING, PSEUDONYMS))
    except DataError:
        copy = b""
    assert SEEDED.encode() not in copy
    event("copied" if copy else "left out")
