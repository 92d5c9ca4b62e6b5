"""How elements are written, and how to tell when a writer did it otherwise (PS3.5 Section 7)."""

import mmap
import struct
from dataclasses import dataclass
from typing import Literal

from pacs_ai.dicom.part10 import LONG_VRS
from pacs_ai.errors import NotDicom

Buffer = bytes | mmap.mmap

SHORT_VRS = frozenset(
    {
        *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT"),
        *(b"PN", b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"),
    }
)
LONG_FORM = dict.fromkeys(SHORT_VRS, False) | dict.fromkeys(LONG_VRS, True)
"""Of each VR, whether its length has 32 bits (PS3.5 Tables 7.1-1 and 7.1-2)."""

_HEADER = 8


class BadDataset(NotDicom):
    """A data set that is refused on arrival. The status tells the sender why.

    Parameters
    ----------
    message
        What is wrong and at which byte. No value.
    status
        DIMSE status of the answer (PS3.4 Section B.2.3, PS3.7 Annex C).
    """

    def __init__(self, message: str, status: int = 0xC000) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the elements of a transfer syntax are written."""

    explicit: bool
    order: Literal["<", ">"] = "<"


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value lies; ``fragments`` counts the items of an encapsulated one, else it is -1."""

    start: int
    length: int
    fragments: int = -1


def check_first(data: Buffer, start: int, encoding: Encoding) -> None:
    """Look at the first element for a transfer syntax that is not the one announced.

    Raises
    ------
    BadDataset
        If the VR or the byte order contradicts ``encoding``, or a whole file begins here.
    """
    if data[start + 128 : start + 134] == b"DICM\x02\x00":
        raise BadDataset("a DICOM file with its preamble where a data set must be")
    head = data[start : start + _HEADER]
    if not encoding.explicit and head[4:6] in LONG_FORM:
        raise BadDataset("explicit VR in a transfer syntax with implicit VR")
    group = int.from_bytes(head[:2], "little" if encoding.order == "<" else "big")
    if group & 0xFF == 0 and group != 0:
        raise BadDataset("the byte order is not that of the transfer syntax")


def looks_explicit(data: Buffer, position: int, *, sequence_explicit: bool) -> bool:
    """Tell how an item is written: some writers put implicit items into explicit data sets."""
    vr = data[position + 4 : position + 6]
    return vr in LONG_FORM or (sequence_explicit and vr.isalpha() and vr.isupper())


def unknown_is_long(
    data: Buffer, position: int, encoding: Encoding, vr: bytes, length: int
) -> bool:
    """Tell which form an element of an unknown VR has.

    VRs to come shall have the long form (PS3.5 Section 7.1.2), those of careless writers have
    the short one, which has its length where the long one has two zero bytes.

    Parameters
    ----------
    data
        The bytes.
    position
        Of what follows the first eight bytes of the element.
    encoding
        That of the data set.
    vr
        The two bytes where the VR must be.
    length
        The two bytes after it, as a number.

    Raises
    ------
    BadDataset
        If these are no two capital letters.
    """
    if not (vr.isalpha() and vr.isupper()):
        raise BadDataset(f"no VR where one must be at byte {position - 4}")
    if length:
        return False
    (long_length,) = struct.unpack_from(encoding.order + "I", data, position)
    end = position + 4 + int(long_length)
    return end == len(data) or data[end + 4 : end + 6] in LONG_FORM
