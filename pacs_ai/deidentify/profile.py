"""The Basic Application Level Confidentiality Profile, and the options that are offered.

PS3.15 Table E.1-1 comes with the package dicom-anonymizer. Only its table is used: its functions do
not enter sequences, and draw other UIDs in each process (docs/adr, de-identified copies).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.datadict import keyword_for_tag

from pacs_ai.deidentify.kept import DATES, DEVICE, MOMENTS, PATIENT

EDITION = "2026c"
"""Of PS3.15, that the table is of."""

_GROUPS = (
    *("D_TAGS", "Z_TAGS", "X_TAGS", "U_TAGS", "Z_D_TAGS"),
    *("X_Z_TAGS", "X_D_TAGS", "X_Z_D_TAGS", "X_Z_U_STAR_TAGS"),
)
_SINGLE = 2
"""Numbers that name one element; a repeating group has a mask besides."""


class Retain(StrEnum):
    """An option of the profile: what is kept of what else would go."""

    DATES = "dates"
    PATIENT = "patient"
    DEVICE = "device"


_RETAINED: Mapping[Retain, frozenset[str]] = {
    Retain.DATES: frozenset(
        (*DATES, *MOMENTS, *(name.removesuffix("Date") + "Time" for name in DATES))
    ),
    Retain.PATIENT: frozenset((*PATIENT, "PatientSex")),
    Retain.DEVICE: frozenset(DEVICE),
}

METHODS: Mapping[Retain | None, tuple[str, str]] = {
    None: ("113100", "Basic Application Confidentiality Profile"),
    Retain.DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Retain.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Retain.DEVICE: ("113109", "Retain Device Identity Option"),
}
"""Codes of PS3.16 CID 7050."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The basic profile with some options.

    Parameters
    ----------
    retain
        The options.
    """

    retain: frozenset[Retain] = frozenset()

    def keeps(self, keyword: str) -> bool:
        """Tell whether an element may be copied as it is, or as an option says."""
        if any(keyword in names for names in _RETAINED.values()):
            return self._retains(keyword)
        return keyword not in listed()

    def _retains(self, keyword: str) -> bool:
        return any(keyword in _RETAINED[option] for option in self.retain)

    def replaces(self, keyword: str) -> bool:
        """Tell whether the profile asks for another UID in place of this one (action U)."""
        return listed().get(keyword) == "U_TAGS"

    def methods(self) -> Iterable[tuple[str, str]]:
        """Return code and meaning of the profile and of its options."""
        return [METHODS[None], *(METHODS[option] for option in sorted(self.retain))]


@cache
def listed() -> Mapping[str, str]:
    """Return the group of actions of each element that the table lists, by keyword."""
    return MappingProxyType(
        {
            keyword: name
            for name in _GROUPS
            for tag in getattr(table, name)
            if len(tag) == _SINGLE and (keyword := keyword_for_tag((tag[0] << 16) | tag[1]))
        }
    )
