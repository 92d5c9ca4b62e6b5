"""Fields of HL7 v2.5.1: separators and escapes, codes, times, text of several lines."""

import textwrap
from collections.abc import Mapping
from datetime import datetime

from pydicom.dataset import Dataset

from pacs_ai.dicom.dates_times import date_of, date_text, time_of
from pacs_ai.dicom.reading import text
from pacs_ai.domain import Code

_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    | {"\r": "\\.br\\", "\n": "\\.br\\"}
)
_SYSTEMS = {"SCT": "SCT", "LN": "LN", "DCM": "DCM"}  # HL7 Table 0396; all others are local
_LEAP_SECOND = "60"
_MAX_CONTROL_ID = 20
_LINE = 120  # letters of a line of text

UNVERIFIED = "R"
"""Results that nobody has verified (HL7 Tables 0123 and 0085); P (preliminary) would say more."""
NO_RESULT = "X"
"""There is none (HL7 Tables 0123 and 0085)."""
CORRECTION = "C"
"""Results that replace others (HL7 Table 0123)."""
ORDER_DETAIL = "O"
"""What is no result (HL7 Table 0085)."""


def escaped(value: str) -> str:
    """Write text so that no letter of it is taken for a separator (HL7 v2.5.1 Section 2.7)."""
    return value.translate(_ESCAPES)


def segment(name: str, *fields: str) -> str:
    """Write a segment; empty fields at its end are left out."""
    return "|".join((name, *fields)).rstrip("|")


def placed(length: int, fields: Mapping[int, str]) -> list[str]:
    """Put fields in their places, which count from 1; the others are empty."""
    return [fields.get(place, "") for place in range(1, length + 1)]


def lines(*paragraphs: str) -> str:
    """Write text as lines: each repetition of a TX is one (HL7 v2.5.1 Section 2.A.78)."""
    wrapped = [line for one in paragraphs for line in textwrap.wrap(one, _LINE)]
    return "~".join(escaped(line) for line in wrapped)


def coded(value: str, meaning: str, system: str) -> str:
    """Write a coded element (CE, HL7 v2.5.1 Section 2.A.10)."""
    return "^".join(escaped(part) for part in (value, meaning, system))


def system_of(code: Code) -> str:
    """Name the coding system of a code (HL7 Table 0396); local ones begin with 99."""
    return _SYSTEMS.get(code.scheme, "99" + code.scheme.removeprefix("99"))


def control_id(uid: str) -> str:
    """Return the control id (MSH-10) of the message with a UID."""
    return uid.rpartition(".")[2][-_MAX_CONTROL_ID:]


def message_time(moment: datetime) -> str:
    """Write a moment as HL7 does (TS, HL7 v2.5.1 Section 2.A.77)."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def study_time(source: Dataset) -> str:
    """Write the study's date, and its time as far as it goes; HL7 has no hour without minutes."""
    day = date_of(text(source, "StudyDate"))
    if day is None:
        return ""
    time = time_of(text(source, "StudyTime")).partition(".")[0]
    if time[4:] == _LEAP_SECOND:  # which HL7 does not have
        time = time[:4]
    return date_text(day) + (time if len(time) in (4, 6) else "")
