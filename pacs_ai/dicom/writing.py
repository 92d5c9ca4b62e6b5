"""Write a data set as a Part 10 file, Explicit VR Little Endian and UTF-8: what every result is.

pydicom's writer serves all transfer syntaxes and mends what it meets; for the thousands of small
elements of a report that costs more than making them. This one writes one syntax, into one list
of pieces, and hands elements of rarer VRs to pydicom. Both write the same bytes.
"""

import itertools
import struct
from collections.abc import Callable, Mapping
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import PersonName

from pacs_ai.dicom.constant_dataset import Constant
from pacs_ai.dicom.part10 import LONG_VRS, MAGIC, PREAMBLE

CHARACTER_SET = "ISO_IR 192"

_ENCODING = "utf-8"
_LONG = frozenset(vr.decode() for vr in LONG_VRS)
_NUMBERS: Mapping[str, struct.Struct] = {
    vr: struct.Struct(f"<{code}")
    for vr, code in {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}.items()
}
_SHORT_HEADER, _LONG_HEADER = struct.Struct("<HH2sH"), struct.Struct("<HH2s2xL")
_ITEM = struct.Struct("<HHL")
_ITEM_TAG = (0xFFFE, 0xE000)
_META_VERSION = b"\0\1"
_LARGE = 1 << 20  # bytes

Writer = Callable[[object], bytes | None]


def part10(dataset: Dataset) -> bytes:
    """Encode a data set with its file meta information: the pieces of `part10_pieces`, joined."""
    return b"".join(part10_pieces(dataset))


def part10_pieces(dataset: Dataset) -> list[bytes]:
    """Encode a data set with its file meta information, without a copy of large values.

    Parameters
    ----------
    dataset
        Complete, with ``file_meta``; its character set is UTF-8. Not changed.

    Returns
    -------
    list of bytes
        The file: preamble, prefix, meta information, data set. Sequences and items have explicit
        lengths. A value of many bytes, such as pixel data, is a piece of its own.

    Raises
    ------
    ValueError
        If it is meant for another transfer syntax or character set.

    Notes
    -----
    PS3.10 Section 7.1, PS3.5 Section 7.1.2 and 7.5.
    """
    meta = dataset.file_meta
    if meta.TransferSyntaxUID != ExplicitVRLittleEndian:
        raise ValueError("only Explicit VR Little Endian is written")
    if dataset.get("SpecificCharacterSet") != CHARACTER_SET:
        raise ValueError("only UTF-8 is written")
    pieces = [bytes(PREAMBLE), MAGIC, _meta(dataset, meta), *_elements(dataset)]
    runs = itertools.groupby(pieces, key=lambda piece: len(piece) >= _LARGE)
    return [piece for large, run in runs for piece in (run if large else [b"".join(run)])]


def _meta(dataset: Dataset, meta: FileMetaDataset) -> bytes:
    written = FileMetaDataset()
    for element in meta:
        written[element.tag] = element
    written.FileMetaInformationVersion = _META_VERSION
    written.MediaStorageSOPClassUID = dataset.SOPClassUID
    written.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if "FileMetaInformationGroupLength" in written:
        del written.FileMetaInformationGroupLength
    body = b"".join(_elements(written))
    return _SHORT_HEADER.pack(2, 0, b"UL", 4) + _NUMBERS["UL"].pack(len(body)) + body


def _elements(dataset: Dataset) -> list[bytes]:
    pieces: list[bytes] = []
    for element in dataset:
        vr = element.VR
        value = _content(vr, element.value)
        if value is None:
            pieces.append(_by_pydicom(element))
            continue
        tag = element.tag
        header = _LONG_HEADER if vr in _LONG else _SHORT_HEADER
        pieces.append(header.pack(tag.group, tag.element, vr.encode(), len(value)))
        pieces.append(value)
    return pieces


def _content(vr: str, value: object) -> bytes | None:
    if vr == "SQ" and isinstance(value, Sequence):
        return b"".join(map(_item, value))
    writer = _WRITERS.get(vr)
    return None if writer is None else writer(value)


def _item(item: Dataset) -> bytes:
    if isinstance(item, Constant) and item.encoded is not None:
        return item.encoded
    content = b"".join(_elements(item))
    written = _ITEM.pack(*_ITEM_TAG, len(content)) + content
    if isinstance(item, Constant):
        item.encoded = written
    return written


def _by_pydicom(element: DataElement) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, [_ENCODING])
    return buffer.getvalue()


def _parts(value: object) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, MultiValue | list | tuple) else [value]


def _joined(encoding: str, padding: bytes) -> Writer:
    def write(value: object) -> bytes | None:
        parts = _parts(value)
        if not all(isinstance(part, str) for part in parts):
            return None
        return _even("\\".join(parts).encode(encoding), padding)

    return write


def _number_text(value: object) -> bytes:
    """Numbers that are written as text keep the text that they were read from."""
    parts = [str(getattr(part, "original_string", part)) for part in _parts(value)]
    return _even("\\".join(parts).encode("ascii"), b" ")


def _name(value: object) -> bytes | None:
    return _even(value.encode([_ENCODING]), b" ") if isinstance(value, PersonName) else None


def _bytes(value: object) -> bytes | None:
    return _even(value, b"\0") if isinstance(value, bytes) else None


def _numbers(form: struct.Struct) -> Writer:
    def write(value: object) -> bytes:
        return b"".join([form.pack(part) for part in _parts(value)])

    return write


def _even(encoded: bytes, padding: bytes) -> bytes:
    return encoded + padding if len(encoded) % 2 else encoded


_WRITERS: Mapping[str, Writer] = {
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), _joined(_ENCODING, b" ")),
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DT", "TM"), _joined("iso8859-1", b" ")),
    **dict.fromkeys(("DS", "IS"), _number_text),
    **{vr: _numbers(form) for vr, form in _NUMBERS.items()},
    "UI": _joined("ascii", b"\0"),
    "PN": _name,
    "OB": _bytes,
    "OF": _bytes,
}
"""By VR; None leaves a value to pydicom."""
