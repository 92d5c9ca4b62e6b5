"""The header of a copy: what `pacs_ai.deidentify.kept` names, read and written anew."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import format_number_as_ds

from pacs_ai.deidentify import kept
from pacs_ai.deidentify.codes import known_codes
from pacs_ai.deidentify.dates import shifted
from pacs_ai.deidentify.people import retained_texts
from pacs_ai.deidentify.profile import Profile
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.functional_groups import has_value
from pacs_ai.dicom.lookup_tables import read_table
from pacs_ai.dicom.reading import integer, items, numbers, text, texts
from pacs_ai.dicom.us_or_ss import us_or_ss
from pacs_ai.errors import DataError

_LARGEST = 1e6
"""No number of an image is as large; the number of a person or of an order may be."""
_LARGEST_COUNT = 1e5
_OTHER = "OTHER"
_DS_LENGTH = 16

Found = Iterator[tuple[str, object]]
"""Keywords with values."""


@dataclass(frozen=True, slots=True)
class HeaderCopy:
    """Copies data sets for one patient.

    Parameters
    ----------
    profile
        What the profile and its options let stay.
    pseudonyms
        Make other UIDs.
    earlier
        By how much dates are moved, if they are retained.
    signed
        Whether the pixels have a sign.
    """

    profile: Profile
    pseudonyms: Pseudonyms
    earlier: timedelta
    signed: bool = False

    def of(self, source: Dataset) -> Dataset:
        """Copy a data set, or the item of a sequence."""
        copies = self
        if "PixelRepresentation" in source:
            copies = replace(self, signed=integer(source, "PixelRepresentation") == 1)
        made = Dataset()
        for keyword, value in copies._elements(source):
            if self.profile.keeps(keyword) or self.profile.replaces(keyword):
                _put(made, keyword, value)
        return made

    def _elements(self, source: Dataset) -> Found:
        for keyword in kept.UIDS:
            uid = text(source, keyword).strip(" \0")
            if uid:
                yield keyword, self.pseudonyms.uid(uid)
        yield from _terms(source)
        yield from _numbers(source)
        for keyword in kept.WORDS:
            if words := us_or_ss(source, keyword, signed=self.signed):
                yield keyword, list(words)
        yield from _tables(source)
        yield from self._sequences(source)
        yield from shifted(source, self.earlier)
        yield from retained_texts(source)

    def _sequences(self, source: Dataset) -> Found:
        for keyword in kept.SEQUENCES:
            if keyword in source:
                yield keyword, Sequence([self.of(item) for item in items(source, keyword)])
        for keyword in kept.CODES:
            if known := list(known_codes(items(source, keyword))):
                yield keyword, Sequence(known)


def _terms(source: Dataset) -> Found:
    for keyword, terms in kept.TERMS.items():
        values = [value.strip(" \0") for value in texts(source, keyword)]
        known = [value if terms.issuperset(value.split()) else _OTHER for value in values]
        if known and (_OTHER in terms or _OTHER not in known):
            yield keyword, known if len(known) > 1 else known[0]


def _numbers(source: Dataset) -> Found:
    for keyword in kept.COUNTS:
        values = numbers(source, keyword)
        if len(values) == 1 and 0 <= values[0] < _LARGEST_COUNT:
            yield keyword, int(values[0])
    for keyword in kept.NUMBERS:
        if not has_value(source, keyword):
            continue
        values = numbers(source, keyword)
        binary = dictionary_VR(keyword) not in ("DS", "IS")
        if not values or not all(binary or abs(value) < _LARGEST for value in values):
            raise DataError(f"{keyword} has a value that no image has")
        if all(map(math.isfinite, values)):
            yield keyword, [_written(keyword, value) for value in values]


def _written(keyword: str, value: float) -> object:
    vr = dictionary_VR(keyword)
    if vr == "DS":
        shown = repr(int(value) if value.is_integer() else value)
        return shown if len(shown) <= _DS_LENGTH else format_number_as_ds(value)
    return value if vr in ("FL", "FD") else int(value)


def _tables(source: Dataset) -> Found:
    for name in kept.TABLES:
        table = read_table(source, name, signed=False)
        if table is not None:
            yield f"{name}Descriptor", list(us_or_ss(source, f"{name}Descriptor", signed=False))
            yield f"{name}Data", table.entries.astype("<u2").tobytes()
    for keyword in kept.POINTERS:
        for value in numbers(source, keyword):
            if not int(value) >> 16 & 1:  # no private group
                yield keyword, int(value)


def _put(made: Dataset, keyword: str, value: object) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None  # noqa: S101 - the lists name elements of the dictionary
    vr = dictionary_VR(tag)
    if vr.startswith("US or"):
        low = min(value) if isinstance(value, list) else 0
        vr = "OW" if isinstance(value, bytes) else "SS" if low < 0 else "US"
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    made.add_new(tag, vr, value)
