"""The SOP classes and transfer syntaxes that the node accepts.

The conformance statement is generated from these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from pydicom.uid import UID
from pynetdicom import ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts

from pacs_ai.uids import storable_uid

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""The DICOM application context name (PS3.7 Annex A.2.1)."""

VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT_PUSH = "1.2.840.10008.1.20.1"
COMMITMENT_PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
"""Well-known instance that N-ACTION and N-EVENT-REPORT name (PS3.4 Annex J.3.5)."""

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
"""Study Root Query/Retrieve Information Model - FIND (PS3.4 Table C.6.2.3-1)."""

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
"""Study Root Query/Retrieve Information Model - MOVE (PS3.4 Table C.6.2.3-1)."""

STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model - GET (PS3.4 Table C.6.2.3-1)."""

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
UNCOMPRESSED_SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG)
"""Accepted for services other than storage, whose data sets we read ourselves."""

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_LIVE_VIDEO_ROOT = "1.2.840.10008.1.2.7."
"""SMPTE ST 2110: streams (PS3.22), never a stored instance."""

_RETIRED_JPEG = (52, 53, 54, 55, 56, 58, 59, 60, 61, 62, 63, 64, 65, 66)
"""Last components of the JPEG processes that PS3.5 retired; archives still hold them."""

_NEWER = {
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.8": "Height Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.1": "Waveform Presentation State Storage",
    "1.2.840.10008.5.1.4.1.1.9.100.2": "Waveform Acquisition Presentation State Storage",
}
"""Names (PS3.6 Table A-1) that pydicom does not know yet."""

STORAGE_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        uid: _NEWER.get(uid) or UID(uid).name
        for uid in (str(context.abstract_syntax) for context in AllStoragePresentationContexts)
    }
)
"""UID and name of every storage SOP class in force (PS3.4 Annex B.5).

Without the non-patient objects of PS3.4 Annex GG: they belong to no study, so none is kept.
"""

TRANSFER_SYNTAXES: tuple[str, ...] = tuple(
    uid for uid in map(str, ALL_TRANSFER_SYNTAXES) if not uid.startswith(_LIVE_VIDEO_ROOT)
) + tuple(f"1.2.840.10008.1.2.4.{process}" for process in _RETIRED_JPEG)
"""Every transfer syntax of instances, retired ones included (PS3.5 Annex A)."""

_SYNTAXES = frozenset(TRANSFER_SYNTAXES)
_PLAIN = frozenset(UNCOMPRESSED_SYNTAXES)


COMMON_CLASSES: tuple[str, ...] = tuple(
    f"{_STORAGE_ROOT}{end}"
    for end in (
        *("2", "2.1", "4", "4.1", "1", "1.1", "1.2", "1.2.1", "13.1.3", "7", "6.1", "3.1"),
        *("128", "130", "20", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "1.1.1", "1.3"),
        *("7.2", "7.3", "7.4", "7.1", "77.1.4", "77.1.1", "77.1.5.1", "77.1.5.4", "104.1"),
        *("88.11", "88.22", "88.33", "88.34", "88.59", "88.67", "11.1", "66.4", "30", "66.1"),
        "481.1",
    )
)
"""Storage classes that archives usually have, the most usual ones first."""

COMMON_SYNTAXES: tuple[str, ...] = tuple(
    f"1.2.840.10008.1.2{end}"
    for end in (
        *(".4.90", ".4.70", ".4.80", ".4.50", ".4.51", ".4.91", ".5", ".4.81", ".4.57"),
        *(".4.201", ".4.202", ".4.203", ".4.102", ".4.103", ".4.100", ".4.107", ".1.99", ".2"),
    )
)
"""Transfer syntaxes other than the uncompressed little endian ones, the most usual ones first."""


class Service(Enum):
    """Which service a presentation context belongs to."""

    VERIFICATION = "verification"
    STORAGE = "storage"
    COMMITMENT = "storage commitment"


@dataclass(frozen=True, slots=True)
class ContextPolicy:
    """Which presentation contexts are accepted.

    ``accept_unknown`` also takes private storage classes and those that the standard retired or
    that are newer than this release. ``gives_commitment`` lets a peer ask us for commitment.
    """

    accept_unknown: bool = True
    gives_commitment: bool = False

    def service(self, abstract_syntax: str) -> Service | None:
        """Return the service of an abstract syntax; None: it is not accepted."""
        if abstract_syntax == VERIFICATION:
            return Service.VERIFICATION
        if abstract_syntax == COMMITMENT_PUSH:
            return Service.COMMITMENT
        if abstract_syntax in STORAGE_CLASSES:
            return Service.STORAGE
        if self.accept_unknown and self._may_be_storage(abstract_syntax):
            return Service.STORAGE
        return None

    @staticmethod
    def _may_be_storage(abstract_syntax: str) -> bool:
        if abstract_syntax.startswith(_DICOM_ROOT):
            return abstract_syntax.startswith(_STORAGE_ROOT)
        return storable_uid(abstract_syntax)

    @staticmethod
    def takes(service: Service, transfer_syntax: str) -> bool:
        """Tell whether a service can be used with a transfer syntax."""
        return transfer_syntax in (_SYNTAXES if service is Service.STORAGE else _PLAIN)
