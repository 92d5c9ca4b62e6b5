"""Sources whose patient and study are faulty, as other devices write them, byte by byte."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.phantom import write_phantom_study


def raw(keyword: str, vr: str, value: bytes) -> RawDataElement:
    """An element that is written as these bytes, legal or not."""
    value += b" " * (len(value) % 2)
    return RawDataElement(Tag(keyword), vr, len(value), value, 0, False, True)


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        if isinstance(value, list):
            setattr(made, keyword, value)
        else:
            raw_value = value.encode() if isinstance(value, str) else value
            assert isinstance(raw_value, bytes)
            made[Tag(keyword)] = raw(keyword, dictionary_VR(keyword), raw_value)
    return made


def code(value: str = "", scheme: str = "", meaning: str = "") -> Dataset:
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


# Name, character set, and the bytes of Patient's Name; then what results must call the patient.
NAMES: Mapping[str, tuple[str | None, bytes, str]] = {
    "no set, latin 1": (None, b"M\xfcller^Anna", ""),
    "no set, utf-8": (None, "Müller^Anna".encode(), ""),
    "utf-8, latin 1": ("ISO_IR 192", b"M\xfcller^Anna", ""),
    "unknown set": ("ISO_IR 999", b"M\xfcller^Anna", ""),
    "unknown set, plain name": ("ISO_IR 999", b"Doe^Jane", "Doe^Jane"),
    "windows 1252": ("ISO_IR 100", b"O\x92Neill^A", ""),
    "ir 58": (
        "\\ISO 2022 IR 58",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab",
        "Zhang^XiaoDong=张^小东",
    ),
    "ir 100 after ir 149": (
        "ISO 2022 IR 100\\ISO 2022 IR 149",
        b"\xe7^\x1b$)C\xa4\xba^\xe7",
        "ç^ㅊ^ç",
    ),
    "ir 87": ("\\ISO 2022 IR 87", b"Yamada=\x1b$B;3ED\x1b(B", "Yamada=山田"),
    "one group of two": ("\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\xd1", "Hong"),
    "gb18030": ("GB18030", "Wang=王^小东".encode("gb18030"), "Wang=王^小东"),
    "gbk": ("GBK", "Wang=誠".encode("gbk"), "Wang=誠"),
    "katakana": ("ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
    "thai": ("ISO_IR 166", "สมชาย".encode("tis_620"), "สมชาย"),
    "replaced before": ("ISO_IR 192", "M\N{REPLACEMENT CHARACTER}ller".encode(), ""),
    "an escape in utf-8": ("ISO_IR 192", b"\x1b$B;3ED", ""),
    "a frame of mllp": ("ISO_IR 100", b"Doe\x1c\r^\x0b", ""),
    "too long": ("ISO_IR 100", b"x" * 90, ""),
    "too many parts": ("ISO_IR 100", b"a^b^c^d^e^f", ""),
}

# By name: keyword, VR and bytes of elements that are written in place of the source's.
VALUES: Mapping[str, tuple[tuple[str, str, bytes], ...]] = {
    "dates of zeros": (
        ("StudyDate", "DA", b"00000000"),
        ("StudyTime", "TM", b"999999"),
        ("PatientBirthDate", "DA", b"19001399"),
    ),
    "a thirtieth of February": (
        ("StudyDate", "DA", b"20230230"),
        ("StudyTime", "TM", b"250000"),
        ("PatientBirthDate", "DA", b"99999999"),
    ),
    "words for dates": (
        ("StudyDate", "DA", b"yesterday"),
        ("StudyTime", "TM", b"1200.5"),
        ("PatientBirthDate", "DA", b"1970"),
    ),
    "ranges": (("StudyDate", "DA", b"20230101-20240101"), ("StudyTime", "TM", b"10-11")),
    "dates of before": (("StudyDate", "DA", b"1993.08.22"), ("StudyTime", "TM", b"10:20:30")),
    "a fraction": (("StudyTime", "TM", b"102030.1234567"),),
    "an age without a unit": (("PatientAge", "AS", b"45"),),
    "an age of words": (("PatientAge", "AS", b"45 years"),),
    "sexes": (("PatientSex", "CS", b"M\\F"), ("PatientSexNeutered", "CS", b"NO")),
    "a sex in words": (("PatientSex", "CS", b"male"), ("SmokingStatus", "CS", b"sometimes")),
    "long text": (
        ("StudyDescription", "LO", b"x" * 100),
        ("StudyID", "SH", b"y" * 30),
        ("AccessionNumber", "SH", b"A" * 30),
    ),
    "several values": (
        ("StudyID", "SH", b"1\\2"),
        ("PatientSize", "DS", b"1.7\\1.8"),
        ("ReferringPhysicianName", "PN", b"A\\B"),
    ),
    "numbers that are none": (
        ("PatientWeight", "DS", b"70,5"),
        ("PatientSize", "DS", b"nan"),
        ("PregnancyStatus", "US", b"abc"),
    ),
    "controls": (("StudyDescription", "LO", b"a\0b"), ("AccessionNumber", "SH", b"\x0b1")),
    "an odd part of the body": (
        ("BodyPartExamined", "CS", b"chest ap"),
        ("Laterality", "CS", b"l"),
    ),
    "an odd place": (
        ("FrameOfReferenceUID", "UI", b"1.02.x"),
        ("ImagePositionPatient", "DS", b"0\\0"),
        ("PixelSpacing", "DS", b"0,5\\0,5"),
        ("TimezoneOffsetFromUTC", "SH", b"CET"),
    ),
    "half a trial": (
        ("ClinicalTrialSponsorName", "LO", b""),
        ("ClinicalTrialSubjectID", "LO", b"7"),
    ),
    "anonymous, not saying how": (("PatientIdentityRemoved", "CS", b"YES"),),
}

SEQUENCES: Mapping[str, tuple[str, list[Dataset]]] = {
    "empty codes": ("ProcedureCodeSequence", [code(), Dataset()]),
    "codes without a scheme": (
        "ProcedureCodeSequence",
        [code("1", "", "m"), code("1", "99X", "m")],
    ),
    "a long code": ("ReasonForVisitCodeSequence", [code("x" * 40, "99X", "m")]),
    "references that are none": (
        "ReferencedStudySequence",
        [
            item(ReferencedSOPClassUID=b"1.2", ReferencedSOPInstanceUID=b"1.02.x"),
            item(ReferencedSOPClassUID=b"1.2"),
            Dataset(),
        ],
    ),
    "other numbers": (
        "OtherPatientIDsSequence",
        [item(PatientID="1"), item(IssuerOfPatientID="X")],
    ),
    "a physician without a code": (
        "ReferringPhysicianIdentificationSequence",
        [item(InstitutionName="X"), item(PersonIdentificationCodeSequence=[code()])],
    ),
    "an issuer without a type": (
        "IssuerOfAccessionNumberSequence",
        [item(UniversalEntityID="1.2.3"), Dataset()],
    ),
    "an odd order": (
        "RequestAttributesSequence",
        [
            item(
                AccessionNumber="B" * 30,
                StudyInstanceUID=b"1.02.x",
                RequestedProcedureID="P" * 30,
                RequestedProcedureDescription=b"Sch\xe4del",
                RequestedProcedureCodeSequence=[code("1")],
                ReferencedStudySequence=[item(ReferencedSOPClassUID=b"1.x")],
            )
        ],
    ),
    "schemes": ("CodingSchemeIdentificationSequence", [Dataset(), item(CodingSchemeName="x")]),
}

_PLACE = b"~"
Change = Callable[[Dataset], None]


def changes() -> Iterator[tuple[str, Change]]:
    """Every fault, by name."""
    for name, (charset, text, _) in NAMES.items():
        yield f"name, {name}", _rename(charset, text)
    for name, elements in VALUES.items():
        yield f"values, {name}", _replace(elements)
    for name, (keyword, items) in SEQUENCES.items():
        yield f"sequence, {name}", _nest(keyword, items)


def _rename(charset: str | None, text: bytes) -> Change:
    def change(ds: Dataset) -> None:
        del ds.SpecificCharacterSet
        if charset is not None:
            ds.SpecificCharacterSet = charset.split("\\")
        ds[Tag("PatientName")] = raw("PatientName", "PN", _PLACE * len(text))

    return change


def _replace(elements: tuple[tuple[str, str, bytes], ...]) -> Change:
    def change(ds: Dataset) -> None:
        for keyword, vr, value in elements:
            ds[Tag(keyword)] = raw(keyword, vr, value)

    return change


def _nest(keyword: str, items: list[Dataset]) -> Change:
    def change(ds: Dataset) -> None:
        ds[keyword] = DataElement(keyword, "SQ", items)

    return change


def _put_name(path: Path, case: tuple[str | None, bytes, str] | None) -> None:
    """Write the bytes of a name into the file, where pydicom would encode them anew."""
    if case is not None:
        raw_name = case[1]
        path.write_bytes(path.read_bytes().replace(_PLACE * len(raw_name), raw_name, 1))


def write_faulty(folder: Path) -> dict[str, str]:
    """Write a study of one image for each fault; return Study Instance UID by the fault's name."""
    phantom = folder.parent / "phantom"
    write_phantom_study(phantom, "CT", seed=3, lesion=True)
    files = sorted(phantom.rglob("*.dcm"))
    original = files[len(files) // 2]
    folder.mkdir()
    studies = {}
    for number, (name, change) in enumerate(changes(), start=1):
        with quiet():
            ds = pydicom.dcmread(original)
            ds.SpecificCharacterSet = "ISO_IR 100"
            ds.StudyInstanceUID = f"1.2.3.{number}"
            ds.SeriesInstanceUID = f"1.2.3.{number}.1"
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}.2"
            change(ds)
            path = folder / f"{number:03}.dcm"
            ds.save_as(path)
        _put_name(path, NAMES.get(name.removeprefix("name, ")))
        studies[name] = f"1.2.3.{number}"
    return studies
