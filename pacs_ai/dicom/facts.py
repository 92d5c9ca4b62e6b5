"""The texts that are read from every instance as it arrives, without a data set in between."""

import mmap
import struct
from collections.abc import Mapping
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from pacs_ai.dicom.element_encoding import BadDataset, Value
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import PIXEL_KEYWORDS, text

KEYWORDS = {
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080050: "AccessionNumber",
    0x00080060: "Modality",
    0x00080070: "Manufacturer",
    0x00081090: "ManufacturerModelName",
    0x00100010: "PatientName",
    0x00100020: "PatientID",
    0x00100021: "IssuerOfPatientID",
    0x00100030: "PatientBirthDate",
    0x00100040: "PatientSex",
    0x00181020: "SoftwareVersions",
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
}
UIDS = (0x00080016, 0x00080018, 0x0020000D, 0x0020000E)
_ABSENT = dict.fromkeys(KEYWORDS.values(), "")
_CHARSET, _IMAGE_TYPE = 0x00080005, 0x00080008
_MANY_VALUED = frozenset({_CHARSET, _IMAGE_TYPE})
_COMPARED = frozenset({0x00100010, 0x00100030, 0x00100040})
"""Compared with those of other instances, and no reason to refuse one."""
_TEXT_TAGS = frozenset(KEYWORDS) | {_CHARSET}
WANTED = _TEXT_TAGS | frozenset(PIXEL_KEYWORDS)
_MAX_TEXT = 16 * 1024


def values_of(data: mmap.mmap, found: Mapping[int, Value]) -> dict[str, str]:
    """Return the texts among the elements that a walk has found, "" for those that are absent.

    Raises
    ------
    BadDataset
        If one is too long, or cannot be decoded.
    """
    raw = {tag: _bytes(data, tag, found[tag]) for tag in _TEXT_TAGS if tag in found}
    if not all(_is_plain(tag, value) for tag, value in raw.items()):
        return _foreign_values(raw)
    plain = {KEYWORDS[tag]: value for tag, value in raw.items() if tag in KEYWORDS}
    return _ABSENT | {key: value.decode("ascii").rstrip("\0 ") for key, value in plain.items()}


def _bytes(data: mmap.mmap, tag: int, place: Value) -> bytes:
    if place.length > _MAX_TEXT and tag not in _COMPARED:
        raise BadDataset(f"the text at byte {place.start} is longer than {_MAX_TEXT} bytes")
    return data[place.start : place.start + min(place.length, _MAX_TEXT)]


def _is_plain(tag: int, raw: bytes) -> bool:
    """Tell whether a value means the same in every character set, and is the only one."""
    several = b"\\" in raw and tag not in _MANY_VALUED
    return raw.isascii() and b"\x1b" not in raw and not several


def _foreign_values(raw: dict[int, bytes]) -> dict[str, str]:
    """Decode the values with pydicom, which knows character sets, from a data set of no others."""
    content = b"".join(
        struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value
        for tag, value in sorted(raw.items())
    )
    try:
        with quiet():
            dataset = read_dataset(BytesIO(content), is_implicit_VR=True, is_little_endian=True)
            return {key: _text(dataset, tag, key, raw) for tag, key in KEYWORDS.items()}
    except FOREIGN_ERRORS as error:
        raise BadDataset(f"a value cannot be read ({type(error).__name__})") from error


def _text(dataset: Dataset, tag: int, keyword: str, raw: dict[int, bytes]) -> str:
    """Decode a value; one that is only compared stands for itself where that fails."""
    try:
        found = text(dataset, keyword)
    except FOREIGN_ERRORS:
        if tag not in _COMPARED:
            raise
        found = ""
    return found or (raw.get(tag, b"").decode("latin-1") if tag in _COMPARED else "")
