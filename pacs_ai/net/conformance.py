"""What the node can do on the network, as facts for its conformance statement (PS3.2)."""

from dataclasses import dataclass

from pydicom.uid import UID

from pacs_ai.dicom.codecs import COMPRESSED
from pacs_ai.dicom.native import DEFLATED_FRAME
from pacs_ai.net.contexts import (
    COMMITMENT_PUSH,
    DEFLATED,
    STORAGE_CLASSES,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    TRANSFER_SYNTAXES,
    UNCOMPRESSED_SYNTAXES,
    VERIFICATION,
)

_UNCOMPRESSED = frozenset({*UNCOMPRESSED_SYNTAXES, DEFLATED, DEFLATED_FRAME})


@dataclass(frozen=True, slots=True)
class SopClass:
    """A SOP class and the roles it is supported in."""

    uid: str
    name: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """A transfer syntax that is accepted; ``analysed`` if its pixels can be read."""

    uid: str
    name: str
    analysed: bool


def services() -> list[SopClass]:
    """Return the services other than storage."""
    both = (VERIFICATION, COMMITMENT_PUSH)
    found = [SopClass(uid, UID(uid).name, scu=True, scp=True) for uid in both]
    asked = [
        SopClass(uid, UID(uid).name, scu=True, scp=False)
        for uid in (STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET)
    ]
    return [*found, *asked]


def storage_classes() -> list[SopClass]:
    """Return the storage classes, each as SCP and SCU."""
    return [
        SopClass(uid, name, scu=True, scp=True) for uid, name in sorted(STORAGE_CLASSES.items())
    ]


def transfer_syntaxes() -> list[TransferSyntax]:
    """Return the transfer syntaxes of storage."""
    return [
        TransferSyntax(uid, UID(uid).name, uid in _UNCOMPRESSED or uid in COMPRESSED)
        for uid in TRANSFER_SYNTAXES
    ]


def uncompressed_syntaxes() -> list[str]:
    """Return the names of the transfer syntaxes of the other services."""
    return [UID(uid).name for uid in UNCOMPRESSED_SYNTAXES]
