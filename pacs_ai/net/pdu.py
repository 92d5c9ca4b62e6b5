"""PDUs of the upper layer protocol (PS3.8 Section 9.3): their types, and the encoding of some."""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from struct import Struct

from pacs_ai.net.faults import AbortReason

HEADER = 6
"""Bytes before the body of a PDU: type, reserved, length (PS3.8 Section 9.3.1)."""
PDV_HEADER = 6
"""Bytes before a fragment: item length, context id, message control header (Annex E.2)."""
LAST_FRAGMENT = 0x02
COMMAND_FRAGMENT = 0x01

RELEASE_RQ = bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0))
"""A-RELEASE-RQ (PS3.8 Section 9.3.6)."""

RELEASE_RP = bytes((6, 0, 0, 0, 0, 4, 0, 0, 0, 0))
"""A-RELEASE-RP (PS3.8 Section 9.3.7)."""

_WHOLE_COMMAND = COMMAND_FRAGMENT | LAST_FRAGMENT
_ABORT_BODY = 4
_PDU = Struct(">BxL")
_PDU_AND_PDV = Struct(">BxLLBB")


class PduType(IntEnum):
    """Types of the PDUs (PS3.8 Section 9.3.1)."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class RejectReason(IntEnum):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21), a byte each."""

    CONTEXT_NAME = 0x010102
    CALLING_AET = 0x010103
    CALLED_AET = 0x010107
    PROTOCOL_VERSION = 0x010202
    NO_REASON = 0x010101
    LOCAL_LIMIT = 0x020302


def encode_pdu(kind: int, body: bytes) -> bytes:
    """Encode a PDU."""
    return _PDU.pack(kind, len(body)) + body


def abort(reason: AbortReason) -> bytes:
    """Encode an A-ABORT from the service provider (PS3.8 Section 9.3.8)."""
    return bytes((7, 0, 0, 0, 0, _ABORT_BODY, 0, 0, 2, reason))


USER_ABORT = bytes((7, 0, 0, 0, 0, _ABORT_BODY, 0, 0, 0, 0))
"""A-ABORT of the service user."""


def reject(reason: RejectReason) -> bytes:
    """Encode an A-ASSOCIATE-RJ (PS3.8 Section 9.3.4)."""
    return bytes((3, 0, 0, 0, 0, 4, 0)) + int(reason).to_bytes(3, "big")


def message(context_id: int, command: bytes, dataset: bytes | None, max_length: int) -> bytes:
    """Encode a DIMSE message as P-DATA-TF PDUs of one fragment each (PS3.8 Annex E).

    Parameters
    ----------
    context_id
        Presentation context.
    command
        Encoded command set.
    dataset
        Encoded data set, None if there is none.
    max_length
        Largest body the peer takes (PS3.8 Annex D.1), 0 for no limit.
    """
    whole = len(command) + PDV_HEADER
    if dataset is None and (whole <= max_length or not max_length):
        # The response to a C-STORE, nearly every message that the listener sends.
        head = _PDU_AND_PDV.pack(PduType.P_DATA, whole, whole - 4, context_id, _WHOLE_COMMAND)
        return head + command
    parts = [_fragments(context_id, command, COMMAND_FRAGMENT, max_length)]
    if dataset is not None:
        parts.append(_fragments(context_id, dataset, 0, max_length))
    return b"".join(parts)


def fragments(context_id: int, pieces: Iterable[bytes], max_length: int) -> Iterator[bytes]:
    """Encode a data set that comes in pieces, as `message` does; nothing for no pieces.

    Parameters
    ----------
    pieces
        Of any length.
    max_length
        Largest body, not 0.
    """
    step = max(max_length - PDV_HEADER, 2)
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > step:  # one byte at least stays for the last fragment
            yield _fragment(context_id, bytes(held[:step]), 0)
            del held[:step]
    if held:
        yield _fragment(context_id, bytes(held), LAST_FRAGMENT)


def _fragments(context_id: int, data: bytes, control: int, max_length: int) -> bytes:
    step = max(max_length - PDV_HEADER, 2) if max_length else max(len(data), 1)
    pieces = [data[at : at + step] for at in range(0, len(data), step)] or [b""]
    last = len(pieces) - 1
    return b"".join(
        _fragment(context_id, piece, control | (LAST_FRAGMENT if index == last else 0))
        for index, piece in enumerate(pieces)
    )


def _fragment(context_id: int, piece: bytes, control: int) -> bytes:
    size = len(piece)
    head = _PDU_AND_PDV.pack(PduType.P_DATA, size + PDV_HEADER, size + 2, context_id, control)
    return head + piece
