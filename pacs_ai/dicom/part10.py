"""The outside of a DICOM file: preamble, file meta information, and the deflated form."""

import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from pacs_ai.errors import NotDicom

PREAMBLE = 128
MAGIC = b"DICM"
DEFLATED = "1.2.840.10008.1.2.1.99"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

LONG_VRS = frozenset(
    {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
)
"""Value representations with two reserved bytes and a 32-bit length (PS3.5 Table 7.1-1)."""

MAX_META = 64 * 1024
OWN_META = 4 * 1024
"""Bytes within which the file meta information of a file ends that this node wrote."""
_SOP_CLASS, _SOP_INSTANCE = 0x0002, 0x0003
_GROUP_LENGTH, _TRANSFER_SYNTAX, _SENT_BY, _RECEIVED_BY = 0x0000, 0x0010, 0x0017, 0x0018
_UIDS = (_TRANSFER_SYNTAX, _SOP_CLASS, _SOP_INSTANCE)
_KEPT = frozenset({_GROUP_LENGTH, *_UIDS, _SENT_BY, _RECEIVED_BY})
_MAX_TITLE = 16
_LENGTH = struct.Struct("<I")
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What precedes the data set: its transfer syntax ("" if not stated) and where it begins.

    ``titles`` are the AE titles of the association that brought it: Sending and Receiving
    Application Entity Title (PS3.10 Table 7.1-1). Each is "" if it is not stated or can be none.
    The other UIDs are those of the media storage, "" if they are not stated.
    """

    transfer_syntax_uid: str
    dataset_offset: int
    titles: tuple[str, str] = ("", "")
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


def read_meta(head: bytes, *, own: bool = False) -> FileMeta:
    """Read preamble and file meta information.

    Parameters
    ----------
    head
        The first bytes of a file, `MAX_META` of them if it has that many; of one that this node
        wrote, `OWN_META` are enough. A file without preamble is taken as well; one without group
        0002 has an empty transfer syntax.
    own
        This node wrote the group, so its length is right: elements of group 0002 behind it belong
        to the data set, where they have no business. Other writers get it wrong too often.

    Raises
    ------
    NotDicom
        If the group does not end within ``head``.

    Notes
    -----
    PS3.10 Section 7.1.
    """
    position = PREAMBLE + len(MAGIC) if head[PREAMBLE : PREAMBLE + 4] == MAGIC else 0
    found: dict[int, bytes] = {}
    end = len(head)
    while position < end and head[position : position + 2] == b"\x02\x00":
        if position + 12 > len(head):
            raise NotDicom("the file meta information is cut off")
        element, vr, length = struct.unpack_from("<2x H 2s H", head, position)
        position += 8
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", head, position)
            position += 4
        if length > len(head) - position:
            raise NotDicom("the file meta information is cut off")
        if element in _KEPT:
            found[element] = head[position : position + length]
        if element == _GROUP_LENGTH and own and length == _LENGTH.size:
            end = position + length + _LENGTH.unpack_from(head, position)[0]
        position += length
    uids = [found.get(uid, b"").decode("ascii", "replace").rstrip("\0 ") for uid in _UIDS]
    titles = (_title(found.get(_SENT_BY, b"")), _title(found.get(_RECEIVED_BY, b"")))
    return FileMeta(uids[0], position, titles, *uids[1:])


def _title(value: bytes) -> str:
    """Decode an AE title as the listener does; "" if it is none that the listener lets in."""
    title = value.decode("latin-1").strip(" \0")
    is_title = len(title) <= _MAX_TITLE and "\\" not in title and title.isprintable()
    return title if is_title else ""


def inflate(stream: BinaryIO, limit: int) -> bytes:
    """Inflate a deflated data set from where the stream stands.

    Parameters
    ----------
    stream
        Positioned at the first byte after the file meta information.
    limit
        Number of bytes that the data set may have at most.

    Raises
    ------
    NotDicom
        If the stream is damaged or cut off, or the data set is longer than ``limit``.

    Notes
    -----
    PS3.5 Section A.5: a raw deflate stream (RFC 1951).
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = bytearray()
    while not inflater.eof:
        data = inflater.unconsumed_tail or stream.read(_CHUNK)
        if not data:
            raise NotDicom("the deflated data set is cut off")
        try:
            out += inflater.decompress(data, _CHUNK)
        except zlib.error as error:
            raise NotDicom("the deflated data set is damaged") from error
        if len(out) > limit:
            raise NotDicom("the deflated data set is longer than allowed")
    return bytes(out)
