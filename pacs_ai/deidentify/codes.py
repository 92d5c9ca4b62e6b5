"""Codes that dictionaries know: the meaning comes from there, whatever a data set says."""

from collections.abc import Iterator
from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pacs_ai.dicom.reading import text

_SCHEMES = ("SCT", "DCM")


def known_codes(sequence: list[Dataset]) -> Iterator[Dataset]:
    """Yield the items of a sequence whose code is one of PS3.16, written anew."""
    for item in sequence:
        key = (text(item, "CodingSchemeDesignator").strip(), text(item, "CodeValue").strip())
        meaning = _meanings().get(key)
        if meaning is not None:
            yield code_item(key[1], key[0], meaning)


def code_item(value: str, scheme: str, meaning: str) -> Dataset:
    """Make an item of a code sequence (PS3.3 Section 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


@cache
def _meanings() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for scheme in _SCHEMES:
        dictionary = getattr(codes, scheme)
        for name in dir(dictionary):
            code = getattr(dictionary, name)
            if isinstance(code, Code):
                found[scheme, code.value] = code.meaning
    return found
