"""The one way to open a stored file: its errors are faults of the storage, not of the data.

Decoders raise ``OSError`` on bad data as well (`pacs_ai.dicom.quiet_libraries`). An error of the
disk or the mount is therefore raised as `StorageError`, which no reader takes for bad data.
"""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_ai.dicom.part10 import MAX_META, read_meta
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.digests import RunningDigest
from pacs_ai.errors import NotDicom
from pacs_ai.files import translated

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 256 * 1024
_UNREADABLE = "cannot be read"


class _Raw(io.FileIO):
    """A file whose read errors are `StorageError`."""

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        with translated(self.name, _UNREADABLE):
            return super().readinto(buffer) or 0

    def readall(self) -> bytes:
        with translated(self.name, _UNREADABLE):
            return super().readall() or b""


def open_file(path: Path) -> io.BufferedReader:
    """Open a file for reading.

    Raises
    ------
    StorageError
        If it is missing or cannot be opened; and later, wherever it cannot be read.
    """
    with translated(path, _UNREADABLE):
        return io.BufferedReader(_Raw(path))


@contextmanager
def opened(path: Path, what: str) -> Iterator[io.BufferedReader]:
    """Open a file for a block in which foreign code reads it, without warnings.

    Parameters
    ----------
    what
        What the file is, for the message of the error.

    Raises
    ------
    NotDicom
        If the block cannot read its bytes as DICOM.
    StorageError
        If the file is missing or cannot be read.
    """
    try:
        with quiet(), open_file(path) as stream:
            yield stream
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"{what} cannot be read ({type(error).__name__})") from error


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: its size in bytes, its transfer syntax, the digest of its data set."""

    size: int
    transfer_syntax_uid: str
    digest: str


def dataset_content(path: Path, known: str = "") -> Content:
    """Read a DICOM file that this node stored, to its end.

    Parameters
    ----------
    known
        The digest that its own will be compared with, "" if there is none.

    Returns
    -------
    Content
        ``digest`` covers the data set, after the file meta information, as `ScannedInstance` has
        it. Where the file meta information is damaged, it and the transfer syntax are empty.

    Raises
    ------
    StorageError
        If the file cannot be read.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            meta = read_meta(stream.read(MAX_META), own=True)
        except (NotDicom, struct.error):
            return Content(size, "", "")
        stream.seek(meta.dataset_offset)
        return Content(size, meta.transfer_syntax_uid, _digest(stream, known))


def file_content(path: Path, known: str = "") -> Content:
    """Read a file of any kind to its end; ``digest`` covers all of it.

    Parameters
    ----------
    known
        As in `dataset_content`.

    Raises
    ------
    StorageError
        If the file cannot be read.
    """
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        return Content(size, "", _digest(stream, known))


def _digest(stream: io.BufferedReader, known: str) -> str:
    digest = RunningDigest(known)
    buffer = memoryview(bytearray(_CHUNK))
    while got := stream.readinto(buffer):
        digest.update(buffer[:got])
    return digest.text()
