"""Where the fragments of a data set go: to a file, to memory, or nowhere."""

import os
from functools import lru_cache
from struct import Struct
from typing import Protocol

from pacs_ai.files import IncomingFile
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.scp.receive_buffer import Spillable
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

_MAX_PENDING = 512
"""Views gathered for one writev; POSIX lets a system take as few as 16, Linux takes 1024."""

_SHORT = Struct("<HH2sH")
_LONG = Struct("<HH2sxxL")
"""Headers of explicit VR elements with lengths of two and of four bytes (PS3.5 Section 7.1.2)."""


class DatasetWriter(Spillable, Protocol):
    """Takes a data set piece by piece, as it arrives."""

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        ...

    @property
    def limit(self) -> int:
        """Most bytes that the data set may have."""
        ...

    def write(self, view: memoryview) -> None:
        """Take some bytes; the view stays valid until `spill`."""
        ...


class FileWriter:
    """Writes the file of an instance: file meta information, then the data set as it comes.

    Fragments are gathered as views into the receive buffer, and many small ones written by one
    system call. A failed write is remembered, and the rest of the data set dropped.

    Parameters
    ----------
    incoming
        Empty file.
    head
        What comes before the data set.
    limit
        Bytes that the data set may have.
    """

    def __init__(self, incoming: IncomingFile, head: bytes, limit: int) -> None:
        self.incoming = incoming
        self.size = 0
        self.limit = limit
        self.error: OSError | None = None
        self._digest = incoming.digest
        self._pending: list[bytes | memoryview] = [head]

    def write(self, view: memoryview) -> None:
        """Gather some bytes."""
        self.size += len(view)
        if self._digest is not None:
            self._digest.update(view)
        self._pending.append(view)
        if len(self._pending) >= _MAX_PENDING:
            self.spill()

    def spill(self) -> None:
        """Write what was gathered."""
        pending, self._pending = self._pending, []
        if not pending or self.error is not None:
            return
        try:
            written = os.writev(self.incoming.fd, pending)
            if written < sum(map(len, pending)):
                _write_rest(self.incoming.fd, b"".join(pending)[written:])
        except OSError as error:
            self.error = error


class MemoryWriter:
    """Keeps a small data set, such as a commitment report, in memory."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.limit = limit

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return len(self.data)

    def write(self, view: memoryview) -> None:
        """Copy some bytes."""
        self.data += view

    def spill(self) -> None:
        """Do nothing: no view is held."""


class DiscardingWriter:
    """Drops a data set that was refused before it came."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self.limit = limit

    def write(self, view: memoryview) -> None:
        """Count some bytes."""
        self.size += len(view)

    def spill(self) -> None:
        """Do nothing: no view is held."""


def _write_rest(fd: int, data: bytes) -> None:
    """Continue after a short write; on a regular file ENOSPC mostly follows."""
    while data:
        data = data[os.write(fd, data) :]


def file_head(
    sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str, titles: tuple[str, str]
) -> bytes:
    """Return preamble, ``DICM`` and file meta information (PS3.10 Section 7.1).

    Parameters
    ----------
    titles
        Calling and called AE title of the association, so that a file keeps its sender if its row
        is lost.

    Notes
    -----
    The preamble is zero: what a peer puts there is never stored.
    """
    template = _template(sop_class_uid, len(sop_instance_uid), transfer_syntax_uid, titles)
    return sop_instance_uid.encode("ascii").join(template)


@lru_cache(maxsize=1024)
def _template(
    sop_class_uid: str, length: int, transfer_syntax_uid: str, titles: tuple[str, str]
) -> tuple[bytes, bytes]:
    """Encode what instances have in common, all but the SOP Instance UID.

    Not by pydicom: what a peer negotiated has to be written even where it breaks a rule of its
    VR, and pydicom refuses that.
    """
    instance_padding = b"\0" * (length % 2)
    before = _long(0x0001, b"OB", b"\0\1") + _short(0x0002, b"UI", sop_class_uid)
    before += _SHORT.pack(2, 0x0003, b"UI", length + length % 2)
    after = (
        instance_padding
        + _short(0x0010, b"UI", transfer_syntax_uid)
        + _short(0x0012, b"UI", IMPLEMENTATION_CLASS_UID)
        + _short(0x0013, b"SH", IMPLEMENTATION_VERSION)
        + _short(0x0017, b"AE", titles[0])
        + _short(0x0018, b"AE", titles[1])
    )
    group_length = _SHORT.pack(2, 0x0000, b"UL", 4)
    group_length += (len(before) + length + len(after)).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + group_length + before, after


def _short(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("latin-1")  # as titles are decoded: a peer may break the rule of its VR
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return _SHORT.pack(2, element, vr, len(value)) + value


def _long(element: int, vr: bytes, value: bytes) -> bytes:
    return _LONG.pack(2, element, vr, len(value)) + value
