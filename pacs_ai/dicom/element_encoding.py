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

UNDEFINED = 0xFFFFFFFF
"""Length of what ends at a delimiter (PS3.5 Section 7.1.3)."""
_HEADER = 8
_BLOCK = 64 * 1024


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


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk has met.

    ``found`` is the place of each wanted element that is there; of one given twice, the last.
    ``guessed`` is the byte of the first VR that can be none, None if there was no such.
    """

    found: dict[int, Value]
    guessed: int | None


def no_vr(position: int) -> BadDataset:
    """Make the error for a data set that makes no sense behind a VR that was guessed."""
    return BadDataset(f"no VR where one must be at byte {position}")


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


def looks_explicit(data: Buffer, position: int, *, sequence_explicit: bool, limit: int) -> bool:
    """Tell how an item is written: some writers put implicit items into explicit data sets.

    Where its first element has no VR that can be one, the item is implicit if the length that it
    then has ends before ``limit``; else the VR is one of those that careless writers leave out.
    """
    vr = data[position + 4 : position + 6]
    if vr in LONG_FORM or not sequence_explicit:
        return vr in LONG_FORM
    length = int.from_bytes(data[position + 4 : position + 8], "little")
    return is_vr(vr) or (length != UNDEFINED and length > limit - position - _HEADER)


def is_vr(vr: bytes) -> bool:
    """Tell whether two bytes can be a VR, known or not: two capital letters."""
    return vr.isalpha() and vr.isupper()


def unknown_is_long(data: Buffer, position: int, encoding: Encoding, length: int) -> bool:
    """Tell which form an element has whose VR is two capital letters that are not known.

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
    length
        The two bytes after the VR, as a number.
    """
    if length:
        return False
    (long_length,) = struct.unpack_from(encoding.order + "I", data, position)
    end = position + 4 + int(long_length)
    return end == len(data) or data[end + 4 : end + 6] in LONG_FORM


def only_zeros(data: Buffer, position: int) -> bool:
    """Tell whether nothing but zero bytes is left, as some archives pad their files."""
    for start in range(position, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        if block.count(0) != len(block):
            return False
    return True
