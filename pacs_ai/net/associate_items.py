"""Items of A-ASSOCIATE PDUs, on either side (PS3.8 Section 9.3, PS3.7 Annex D.3.3)."""

from collections.abc import Iterator
from enum import IntEnum
from struct import Struct

from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.uids import storable_uid

FIXED_BODY = 68
"""Bytes of the body of an A-ASSOCIATE-RQ or -AC before its items."""
CONTEXT_HEAD = 4
"""Bytes of a presentation context before its sub-items: its id, and in an answer the result."""
MAX_ITEMS = 32_768
"""A request of 128 contexts with every known transfer syntax has less than 8,000."""
MAX_LENGTH = Struct(">L")
"""Value of the maximum length item."""
DEFAULT_MAX_PDU = 16_384
"""For a peer that does not send its maximum length, against PS3.8 Annex D.1."""

_ITEM = Struct(">BxH")


class ItemType(IntEnum):
    """Known item types; others are skipped, as PS3.8 Section 9.3.1 requires."""

    APPLICATION_CONTEXT = 0x10
    PROPOSED_CONTEXT = 0x20
    ANSWERED_CONTEXT = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS = 0x52
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION = 0x55
    USER_IDENTITY = 0x58


class Budget:
    """Counts items over all levels of one PDU."""

    def __init__(self, items: int = MAX_ITEMS) -> None:
        self.left = items

    def spend(self) -> None:
        """Count one more.

        Raises
        ------
        ProtocolViolation
            If it is one too many.
        """
        self.left -= 1
        if self.left < 0:
            raise ProtocolViolation("more items than any association can need")


def walk_items(data: bytes, start: int, stop: int, budget: Budget) -> Iterator[tuple[int, bytes]]:
    """Give the type and the value of each item: type, reserved byte, length of two bytes, value.

    Raises
    ------
    ProtocolViolation
        If an item reaches beyond ``stop``.
    """
    while start < stop:
        budget.spend()
        if stop - start < _ITEM.size:
            raise ProtocolViolation("item header cut off")
        kind, length = _ITEM.unpack_from(data, start)
        start += _ITEM.size
        if length > stop - start:
            raise ProtocolViolation("item reaches beyond its end")
        yield kind, data[start : start + length]
        start += length


def encode_item(kind: int, value: bytes) -> bytes:
    """Encode an item."""
    return _ITEM.pack(kind, len(value)) + value


def decode_name(value: bytes) -> str:
    """Decode a name; padding with spaces or NULs is removed."""
    return value.decode("latin-1").strip(" \0")


def decode_uid(value: bytes) -> str:
    """Decode a UID; "" if it is not one, which nothing accepts."""
    uid = decode_name(value)
    return uid if storable_uid(uid) else ""
