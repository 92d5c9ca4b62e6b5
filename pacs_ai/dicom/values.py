"""What the standard asks of the value of an element: characters, length, number of values."""

import functools
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from pacs_ai.dicom.dates_times import date_of, time_of
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.uids import storable_uid

TEXT_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""VRs of text in the character set of the data set (PS3.5 Section 6.1.2.3)."""

PARAGRAPH_VRS = frozenset({"LT", "ST", "UT"})
"""Text of one value, in which a backslash is a letter and lines may end."""

_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_WRITTEN_VRS = frozenset({"DS", "IS", "PN", "DA", "TM", "DT"})
_MULTIPLICITY = re.compile(r"(\d+)(?:-(?:(\d*)n|(\d+)))?")
_LENGTHS = {"LO": 64, "SH": 16, "ST": 1024, "LT": 10240}
_SINGLE_TEXTS = (str, UID)
_GROUP_LENGTH, _GROUPS, _COMPONENTS = 64, 3, 5
_OFFSET = "TimezoneOffsetFromUTC"
_OFFSETS = re.compile(r"(?!-0000)([+-](0\d|1[01])[0-5]\d|[+-]1200|\+1[23][0-5]\d|\+1400)", re.ASCII)
_PARAGRAPH = "\t\n\f\r"

ENUMERATED: dict[str, frozenset[str]] = {
    "PatientSex": frozenset({"M", "F", "O"}),
    "PatientSexNeutered": frozenset({"ALTERED", "UNALTERED"}),
    "SmokingStatus": frozenset({"YES", "NO", "UNKNOWN"}),
    "PregnancyStatus": frozenset({"1", "2", "3", "4"}),
    "PatientIdentityRemoved": frozenset({"YES", "NO"}),
    "QualityControlSubject": frozenset({"YES", "NO"}),
    "ConsentForDistributionFlag": frozenset({"YES", "NO", "WITHDRAWN"}),
    "LossyImageCompression": frozenset({"00", "01"}),
}
"""Enumerated values of attributes that results take over (PS3.3)."""

KEPT_AS_IT_IS = frozenset({"PatientID"})
"""Archives file a result by it: left out it would part the result from its study. It may be longer
than its VR allows, and have several values, as long as its characters are legal."""


def broken_rule(element: DataElement, *, any_length: bool = False) -> str:
    """Hold the value of an element against the standard.

    Parameters
    ----------
    element
        Any but a sequence.
    any_length
        Let text be longer than its VR allows.

    Returns
    -------
    str
        The rule that is broken, "" if none is. An empty value breaks none.

    Notes
    -----
    PS3.5 Sections 6.2, 6.4 and 9.1; enumerated values of PS3.3. UIDs may have leading zeros: those
    of a source are referred to as they are.
    """
    value, tag, vr = element.value, int(element.tag), str(element.VR)
    if type(value) in _SINGLE_TEXTS:
        return _rule_of_text(tag, vr, value, any_length=any_length)
    several = isinstance(value, MultiValue | list | tuple)
    return _rule_of_parts(tag, vr, list(value) if several else [value], any_length=any_length)


@functools.lru_cache(maxsize=4096)
def _rule_of_text(tag: int, vr: str, value: str, *, any_length: bool) -> str:
    """Judge a text once: a report says the same few things over and over."""
    return _rule_of_parts(tag, vr, [value], any_length=any_length)


def _rule_of_parts(tag: int, vr: str, parts: Sequence[object], *, any_length: bool) -> str:
    present = [part for part in parts if not _is_nothing(part)]
    keyword = _keyword(tag)
    kept = keyword in KEPT_AS_IT_IS
    if present and not kept and not _right_number(tag, vr, len(parts)):
        return "has a number of values that it must not have (PS3.5 Section 6.4)"
    allowed = ENUMERATED.get(keyword)
    for part in present:
        if vr == "UI":
            if not storable_uid(str(part)):
                return "is not a UID (PS3.5 Section 9.1)"
        elif not _legal(vr, part, any_length=any_length or kept):
            return f"is no legal value of VR {vr} (PS3.5 Section 6.2)"
        if allowed is not None and str(part) not in allowed:
            return "is none of its enumerated values (PS3.3)"
        if keyword == _OFFSET and not _OFFSETS.fullmatch(str(part)):
            return "is no offset from UTC (PS3.3 Section C.12.1.1.8)"
    return ""


def keyword_of(element: DataElement) -> str:
    """Keyword of an element (PS3.6); "" for one that is not in the dictionary."""
    return _keyword(int(element.tag))


def illegal_character(vr: str, text: str) -> bool:
    """Tell whether a text has a control character that its VR does not allow."""
    allowed = _PARAGRAPH if vr in PARAGRAPH_VRS else ""
    return any(letter not in allowed and unicodedata.category(letter) == "Cc" for letter in text)


def standard_vr(element: DataElement) -> str:
    """VR that the dictionary gives an element (PS3.6); its own where that gives several or none."""
    try:
        vr = dictionary_VR(element.tag)
    except KeyError:
        return str(element.VR)
    return vr if len(vr) == 2 else str(element.VR)  # noqa: PLR2004 - "US or SS"


def _is_nothing(part: object) -> bool:
    if isinstance(part, str | bytes):
        return not part  # `str` of a million bytes of pixels takes ten milliseconds
    return part is None or str(part) == ""


def _right_number(tag: int, vr: str, count: int) -> bool:
    if vr in _BINARY_VRS:
        return True
    least, most, step = _multiplicity(tag)
    return least <= count <= most and count % step == 0


@functools.lru_cache(maxsize=4096)
def _keyword(tag: int) -> str:
    """Look a tag up once: pydicom takes as long for it as a check of a short value does."""
    return keyword_for_tag(tag)


@functools.lru_cache(maxsize=1024)
def _multiplicity(tag: int) -> tuple[int, float, int]:
    """Least and greatest number of values, and what it must be a multiple of (PS3.6)."""
    try:
        found = _MULTIPLICITY.fullmatch(dictionary_VM(tag))
    except KeyError:
        found = None
    if found is None:
        return 1, math.inf, 1
    least = int(found[1])
    if found[2] is not None:
        return least, math.inf, int(found[2] or 1)
    return least, int(found[3] or least), 1


def _legal(vr: str, value: Any, *, any_length: bool) -> bool:  # noqa: ANN401  (the value of an element)
    binary = vr in _BINARY_VRS or isinstance(value, bytes)
    checked = str(value) if not binary and vr in _WRITTEN_VRS else value
    if type(checked) is not str:
        return not isinstance(checked, str) and _legal_value(vr, checked)
    return _legal_text(vr, checked, any_length=any_length)


def _legal_text(vr: str, text: str, *, any_length: bool) -> bool:
    if vr in TEXT_VRS:
        return not illegal_character(vr, text) and (any_length or _fits(vr, text))
    if not text.isascii():
        return False
    if vr == "DA":
        return date_of(text) is not None and "." not in text
    if vr == "TM":
        return bool(time_of(text)) and ":" not in text
    return _legal_value(vr, text)


def _fits(vr: str, text: str) -> bool:
    if vr != "PN":
        return len(text) <= _LENGTHS.get(vr, len(text)) and not (
            vr in ("LO", "SH") and "\\" in text
        )
    groups = text.split("=")
    return len(groups) <= _GROUPS and all(
        len(group) <= _GROUP_LENGTH and group.count("^") < _COMPONENTS for group in groups
    )


def _legal_value(vr: str, checked: Any) -> bool:  # noqa: ANN401  (the value of an element)
    try:
        validate_value(vr, checked, config.RAISE)
    except FOREIGN_ERRORS:
        return False
    return True
