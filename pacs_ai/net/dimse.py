"""Command sets, decoded and encoded (PS3.7 Sections 6.3 and 9, Annex E).

A command set is always in Implicit VR Little Endian and holds only group 0000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct, pack

from pacs_ai.uids import storable_uid

NO_DATASET = 0x0101
"""Command Data Set Type of a message without a data set."""
WITH_DATASET = 0x0001
"""Any other value means that one follows; this is the usual one."""
RESPONSE = 0x8000
"""Bit of the command field that makes a response."""

_ELEMENT = Struct("<HHL")
_SHORT = Struct("<H")
_SHORT_ELEMENT = Struct("<HHLH")
_THREE_SHORTS = Struct("<HHLHHHLHHHLH")
_GROUP_LENGTH = Struct("<HHLL")
_MAX_COMMENT = 64


class Field(IntEnum):
    """Known command fields (PS3.7 Annex E.1)."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_ACTION = 0x0130
    C_CANCEL = 0x0FFF


class Element(IntEnum):
    """Element numbers of group 0000 that are used here (PS3.7 Annex E.1)."""

    AFFECTED_CLASS = 0x0002
    REQUESTED_CLASS = 0x0003
    FIELD = 0x0100
    MESSAGE_ID = 0x0110
    ANSWERED_ID = 0x0120
    DESTINATION = 0x0600
    PRIORITY = 0x0700
    DATASET_TYPE = 0x0800
    STATUS = 0x0900
    COMMENT = 0x0902
    AFFECTED_INSTANCE = 0x1000
    REQUESTED_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ACTION_TYPE = 0x1008
    COMPLETED = 0x1021
    FAILED = 0x1022
    WARNED = 0x1023


@dataclass(frozen=True, slots=True)
class Command:
    """A decoded command set.

    ``whole`` is False where its bytes broke the encoding: what precedes the break is there.
    """

    elements: Mapping[int, bytes]
    whole: bool

    def number(self, element: Element) -> int | None:
        """Return an unsigned short, None if it is absent or of another size."""
        value = self.elements.get(element)
        if value is None or len(value) != _SHORT.size:
            return None
        number: int = _SHORT.unpack(value)[0]
        return number

    @property
    def status(self) -> int | None:
        """Status of a response, None if there is none; some peers write it with four bytes."""
        value = self.elements.get(Element.STATUS, b"")
        wide = len(value) == 2 * _SHORT.size
        return int.from_bytes(value, "little") if wide else self.number(Element.STATUS)

    def uid(self, element: Element) -> str | None:
        """Return a UID, "" if it is invalid, None if it is absent."""
        value = self.elements.get(element)
        if value is None:
            return None
        uid = value.decode("latin-1").rstrip(" \0")
        return uid if storable_uid(uid) else ""

    @property
    def has_dataset(self) -> bool:
        """Tell whether a data set follows; if the command does not say so, none does."""
        return self.number(Element.DATASET_TYPE) not in (None, NO_DATASET)


def decode_command(data: bytes) -> Command:
    """Decode a command set as far as its bytes allow."""
    elements: dict[int, bytes] = {}
    at, stop = 0, len(data)
    unpack = _ELEMENT.unpack_from
    while at + 8 <= stop:
        group, element, length = unpack(data, at)
        at += 8
        if group or length > stop - at:
            return Command(elements, whole=False)
        elements[element] = data[at : at + length]
        at += length
    return Command(elements, whole=at == stop)


def encode_response(
    request: Command, field: int, status: int, comment: str = "", extra: bytes = b""
) -> bytes:
    """Encode the response to a request, without a data set.

    Parameters
    ----------
    request
        Repeated in the response are its message id, and its SOP class and instance if it names
        them.
    field
        Command field of the request.
    status
        Outcome (PS3.7 Annex C).
    comment
        Error Comment; cut to what its VR (LO) takes.
    extra
        Encoded elements above (0000,1001).
    """
    known = request.elements
    sop_class = known.get(Element.AFFECTED_CLASS) or known.get(Element.REQUESTED_CLASS)
    instance = known.get(Element.AFFECTED_INSTANCE) or known.get(Element.REQUESTED_INSTANCE)
    numbers = _THREE_SHORTS.pack(
        *(0, Element.ANSWERED_ID, 2, request.number(Element.MESSAGE_ID) or 0),
        *(0, Element.DATASET_TYPE, 2, NO_DATASET),
        *(0, Element.STATUS, 2, status),
    )
    elements = _response_head(sop_class, field) + numbers
    if comment:
        elements += text(Element.COMMENT, comment)
    return with_group_length(elements + _value(Element.AFFECTED_INSTANCE, instance) + extra)


def encode_request(
    field: Field,
    message_id: int,
    sop_class: str,
    instance: str = "",
    *,
    priority: int | None = None,
    kind: int | None = None,
    destination: str = "",
    with_dataset: bool = False,
) -> bytes:
    """Encode the command set of a request (PS3.7 Sections 9.3 and 10.3).

    Parameters
    ----------
    sop_class, instance
        UIDs: Requested ones for an N-ACTION, Affected ones for all else; "" for no instance.
    priority
        Of a C-STORE, C-FIND, C-GET or C-MOVE.
    kind
        Event Type ID or Action Type ID.
    destination
        AE title that a C-MOVE sends to.
    with_dataset
        Whether a data set follows.
    """
    acts = field == Field.N_ACTION
    elements = uid(Element.REQUESTED_CLASS if acts else Element.AFFECTED_CLASS, sop_class)
    elements += short(Element.FIELD, field) + short(Element.MESSAGE_ID, message_id)
    elements += text(Element.DESTINATION, destination)
    if priority is not None:
        elements += short(Element.PRIORITY, priority)
    elements += short(Element.DATASET_TYPE, WITH_DATASET if with_dataset else NO_DATASET)
    elements += uid(Element.REQUESTED_INSTANCE if acts else Element.AFFECTED_INSTANCE, instance)
    if kind is not None:
        elements += short(Element.ACTION_TYPE if acts else Element.EVENT_TYPE, kind)
    return with_group_length(elements)


def encode_cancel(message_id: int) -> bytes:
    """Encode a C-CANCEL: the request of this id is not wanted any more (PS3.7 Section 9.3.2.3)."""
    elements = short(Element.FIELD, Field.C_CANCEL) + short(Element.ANSWERED_ID, message_id)
    return with_group_length(elements + short(Element.DATASET_TYPE, NO_DATASET))


@lru_cache(maxsize=64)
def _response_head(sop_class: bytes | None, field: int) -> bytes:
    """Encode the elements that all responses of a kind begin with."""
    return _value(Element.AFFECTED_CLASS, sop_class) + short(Element.FIELD, field | RESPONSE)


def with_group_length(elements: bytes) -> bytes:
    """Put Command Group Length before encoded elements."""
    return _GROUP_LENGTH.pack(0, 0, 4, len(elements)) + elements


def short(element: Element, value: int) -> bytes:
    """Encode an unsigned short."""
    return _SHORT_ELEMENT.pack(0, element, _SHORT.size, value)


def uid(element: Element, value: str) -> bytes:
    """Encode a UID, padded to even length with NUL (PS3.5 Section 9.1)."""
    return _value(element, value.encode("ascii"))


def text(element: Element, value: str) -> bytes:
    """Encode a comment in ASCII, padded to even length; nothing for an empty one."""
    encoded = value[:_MAX_COMMENT].encode("ascii", "replace")
    return _value(element, encoded + b" " * (len(encoded) % 2))


def _value(element: Element, value: bytes | None) -> bytes:
    if not value:
        return b""
    return pack("<HHL", 0, element, len(value) + len(value) % 2) + value + b"\0" * (len(value) % 2)
