"""Decode the text of a data set before pydicom does, and take out what cannot be decoded."""

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from pacs_ai.dicom.charset import (
    NAME_DELIMITERS,
    PARAGRAPH_DELIMITERS,
    TEXT_DELIMITERS,
    CharacterSet,
    UndecodableText,
    character_set,
)
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.dicom.reading import texts
from pacs_ai.dicom.values import PARAGRAPH_VRS, TEXT_VRS, illegal_character

_FUNCTIONAL_GROUPS = 0x5200  # a thousand frames without a text that anybody takes over
_PAIRED = (b"\x1b$B", b"\x1b$(D")  # character sets in which any byte may be half of a letter


def decode_text(dataset: Dataset, inherited: CharacterSet | None = None) -> list[str]:
    """Decode every text that was read and not looked at yet, at every depth.

    Parameters
    ----------
    dataset
        Changed in place: a text that means nothing in its character set is gone; of a person's
        name only the groups that mean nothing.
    inherited
        Character set of the data set around this one (PS3.5 Section 7.5.3).

    Returns
    -------
    list of str
        Keywords of what is gone, with those of the sequences around it.
    """
    terms = texts(dataset, "SpecificCharacterSet")
    chosen = character_set(terms) if terms or inherited is None else inherited
    gone: list[str] = []
    for tag in list(dataset.keys()):
        name = keyword_for_tag(tag)
        if not name or tag.group == _FUNCTIONAL_GROUPS:
            continue
        element: DataElement | RawDataElement = dataset.get_item(tag)
        vr = _vr(tag, str(element.VR or "UN"))
        if vr == "SQ":
            gone += [f"{name}.{inner}" for inner in _decode_items(dataset, tag, chosen)]
        elif isinstance(element, RawDataElement) and vr in TEXT_VRS and element.value:
            whole, text = _decoded(vr, element.value, chosen)
            if not whole:
                gone.append(name)
            _put(dataset, tag, vr, text)
    return gone


def _vr(tag: BaseTag, written: str) -> str:
    """VR of an element; the dictionary's where the writer did not say or know."""
    if written != "UN":
        return written
    try:
        return dictionary_VR(tag)
    except KeyError:
        return written


def _decode_items(dataset: Dataset, tag: BaseTag, chosen: CharacterSet) -> list[str]:
    try:
        items = list(dataset[tag].value)
    except FOREIGN_ERRORS:
        return []  # an incomplete sequence; who reads it gets the error
    return [inner for item in items for inner in decode_text(item, chosen)]


def _decoded(vr: str, raw: bytes, chosen: CharacterSet) -> tuple[bool, str]:
    """Decode a value: whether all of it could be, and the text."""
    try:
        return True, _text(vr, raw, chosen)
    except UndecodableText:
        return False, _groups(raw, chosen) if vr == "PN" else ""


def _text(vr: str, raw: bytes, chosen: CharacterSet) -> str:
    if vr in PARAGRAPH_VRS:
        delimiters = PARAGRAPH_DELIMITERS
    else:
        delimiters = NAME_DELIMITERS if vr == "PN" else TEXT_DELIMITERS
    text = chosen.decode(raw.rstrip(b"\0 "), delimiters)
    if illegal_character(vr, text):
        raise UndecodableText("a control character in a text")
    return text


def _groups(raw: bytes, chosen: CharacterSet) -> str:
    """Decode those groups of a single name that can be, each by itself (PS3.5 Section 6.2.1)."""
    if b"\\" in raw or any(sequence in raw for sequence in _PAIRED):
        return ""
    return "=".join(_group(group, chosen) for group in raw.split(b"=")).rstrip("=")


def _group(raw: bytes, chosen: CharacterSet) -> str:
    try:
        return _text("PN", raw, chosen)
    except UndecodableText:
        return ""


def _put(dataset: Dataset, tag: BaseTag, vr: str, text: str) -> None:
    if not text:
        del dataset[tag]
        return
    parts = [text] if vr in PARAGRAPH_VRS else [part.rstrip(" ") for part in text.split("\\")]
    dataset[tag] = DataElement(tag, vr, parts if len(parts) > 1 else parts[0])
