"""Files to send by C-STORE: what their headers say, and the bytes of their data sets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pynetdicom.dsutils import split_dataset

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS
from pacs_ai.errors import PeerError
from pacs_ai.net import commitment_dataset
from pacs_ai.net.contexts import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE
from pacs_ai.net.scu.negotiation import MAX_CONTEXTS

_PIECE = 128 << 10

_CONVERTIBLE = (EXPLICIT_LITTLE, DEFLATED)
"""Syntaxes that pydicom writes as Implicit VR Little Endian without touching a pixel."""

ContextKey = tuple[str, str]
"""SOP class and transfer syntax."""


class Unsendable(PeerError):
    """The file is no DICOM file that can be sent. Check it with a validator; leave it out."""

    code = "UNSENDABLE"


class SendingStopped(PeerError):
    """A file could not be read while it was sent. Look at the disk; it is tried again."""

    code = "SENDING_STOPPED"
    retryable = True


@dataclass(frozen=True, slots=True)
class SendableFile:
    """A DICOM file with what its meta information says.

    Parameters
    ----------
    key
        SOP class and transfer syntax.
    instance
        SOP Instance UID.
    start
        Offset of the data set.
    size
        Bytes of the whole file.
    """

    path: Path
    key: ContextKey
    instance: str
    start: int
    size: int


def examine(path: Path) -> SendableFile:
    """Read the file meta information.

    Raises
    ------
    Unsendable
        If there is none, or nothing follows it.
    """
    try:
        meta, start = split_dataset(path)
        instance = str(meta.MediaStorageSOPInstanceUID)
        key = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
        size = path.stat().st_size
        if size <= start:
            raise ValueError("no data set")
    except FOREIGN_ERRORS as error:
        raise Unsendable("no file meta information") from error
    return SendableFile(path, key, instance, start, size)


def batches(files: Iterable[SendableFile]) -> Iterator[list[SendableFile]]:
    """Divide the files into batches, each for the contexts of one association."""
    batch: list[SendableFile] = []
    keys: set[ContextKey] = set()
    for file in files:
        wanted = keys | set(context_keys(file.key))
        if len(wanted) > MAX_CONTEXTS:
            yield batch
            batch, wanted = [], set(context_keys(file.key))
        batch.append(file)
        keys = wanted
    if batch:
        yield batch


def context_keys(key: ContextKey) -> tuple[ContextKey, ...]:
    """Return the contexts to propose for a file, the preferred one first."""
    sop_class, syntax = key
    return (key, (sop_class, IMPLICIT_LITTLE)) if syntax in _CONVERTIBLE else (key,)


def pieces(file: SendableFile) -> Iterator[bytes]:
    """Read the data set of a file as it is.

    Raises
    ------
    SendingStopped
        If the file cannot be read any more.
    """
    try:
        with file.path.open("rb") as stream:
            stream.seek(file.start)
            while piece := stream.read(_PIECE):
                yield piece
    except OSError as error:
        raise SendingStopped(f"a file cannot be read ({type(error).__name__})") from error


def converted(path: Path) -> bytes:
    """Encode an uncompressed data set as Implicit VR Little Endian."""
    return commitment_dataset.encode(dcmread(path), IMPLICIT_LITTLE)
