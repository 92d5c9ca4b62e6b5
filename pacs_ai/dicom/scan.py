"""The check of every instance on arrival: whole, consistent, and what the index needs of it."""

import mmap
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pacs_ai.dicom import patient
from pacs_ai.dicom.element_encoding import BadDataset, Encoding, Value, no_vr
from pacs_ai.dicom.elements import walk
from pacs_ai.dicom.facts import KEYWORDS, UIDS, WANTED, values_of
from pacs_ai.dicom.part10 import (
    DEFLATED,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    OWN_META,
    FileMeta,
    read_meta,
)
from pacs_ai.dicom.patient import PatientIdentity
from pacs_ai.dicom.reading import PIXEL_KEYWORDS
from pacs_ai.digests import RunningDigest
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.files import IncomingFile
from pacs_ai.uids import storable_uid

MISSING_UID = 0xC002
BAD_UID = 0x0117
MAX_DATASET = 2 * 1024**3
FREE_INFLATION = 64 * 1024**2
MAX_RATIO = 64

_NATIVE = frozenset({IMPLICIT_LITTLE, EXPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED})
_COMPRESSED_PREFIXES = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.")
_PIXEL_DATA = 0x7FE00010
_CHUNK = 1024**2
_CHECKSUM, _TRAILER = 4, 8


@dataclass(frozen=True, slots=True)
class ScannedInstance:
    """What the index keeps of an instance, and what is hashed at once and then forgotten.

    ``patient`` and ``accession_number`` name a patient: they go into keyed hashes and nowhere
    else. ``titles`` are those of `pacs_ai.dicom.part10.FileMeta`. ``dataset_digest`` covers the
    data set as sent, after the file meta information; ``pixel_digest`` the value of the pixel data
    as encoded (of a deflated data set: as inflated), "" if there are none or it was not asked for.
    Absent attributes are "".
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str
    modality: str
    patient: PatientIdentity
    accession_number: str
    manufacturer: str
    manufacturer_model: str
    software_versions: str
    image_type: tuple[str, ...]
    has_pixels: bool
    dataset_bytes: int
    dataset_digest: str
    pixel_digest: str
    titles: tuple[str, str]


def scan_instance(source: Path | IncomingFile, *, hash_pixels: bool = True) -> ScannedInstance:
    """Check a received file to its last byte; no pixel is decoded.

    Parameters
    ----------
    source
        A Part 10 file this node wrote: its own preamble and file meta information, then the data
        set as sent. A file that has just arrived is read by the descriptor it has, and its digest
        was computed while it came.
    hash_pixels
        False leaves ``pixel_digest`` empty, and saves half of the time a large image takes.

    Raises
    ------
    BadDataset
        If the data set does not parse to its end, contradicts its transfer syntax, inflates too
        far (more than `MAX_RATIO` times and `FREE_INFLATION` bytes, or `MAX_DATASET`), holds
        file meta or command elements, or lacks or distorts a UID. ``status`` is the answer for
        the sender.
    StorageError
        If the file cannot be read, or there is no room to inflate it.

    Notes
    -----
    A data set cut off between two elements of its top level looks like a whole one:
    only the last-fragment flag of the transport says where it ends (PS3.8 Section E.2). If what
    is left lacks a UID it is refused all the same.
    """
    try:
        if isinstance(source, IncomingFile):
            digest = source.digest
            return _scan(source.fd, source.filename, digest, hash_pixels=hash_pixels)
        with source.open("rb", buffering=0) as stream:
            return _scan(stream.fileno(), str(source), None, hash_pixels=hash_pixels)
    except OSError as error:
        raise StorageError(f"a received file cannot be read ({type(error).__name__})") from error
    except BadDataset:
        raise
    except NotDicom as error:
        raise BadDataset(error.message) from error


def _scan(
    fd: int, name: str, digest: RunningDigest | None, *, hash_pixels: bool
) -> ScannedInstance:
    meta = read_meta(os.pread(fd, OWN_META, 0), own=True)
    with _plain(fd, name, meta) as (plain, start):
        found, values = _elements(plain, start, meta.transfer_syntax_uid)
        pixels = _pixels(found)
        hashed = pixels if hash_pixels else None
        pixel_digest = _digest(plain, hashed.start, hashed.length) if hashed is not None else ""
    size = os.fstat(fd).st_size - meta.dataset_offset
    return ScannedInstance(
        sop_class_uid=values["SOPClassUID"],
        sop_instance_uid=values["SOPInstanceUID"],
        study_instance_uid=values["StudyInstanceUID"],
        series_instance_uid=values["SeriesInstanceUID"],
        transfer_syntax_uid=meta.transfer_syntax_uid,
        modality=values["Modality"].strip(),
        patient=PatientIdentity(*(values[keyword] for keyword in patient.KEYWORDS)),
        accession_number=values["AccessionNumber"],
        manufacturer=values["Manufacturer"],
        manufacturer_model=values["ManufacturerModelName"],
        software_versions=values["SoftwareVersions"],
        image_type=_codes(values["ImageType"]),
        has_pixels=pixels is not None,
        dataset_bytes=size,
        dataset_digest=digest.text() if digest else _digest(fd, meta.dataset_offset, size),
        pixel_digest=pixel_digest,
        titles=meta.titles,
    )


def _codes(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split("\\")) if value.strip() else ()


def _elements(fd: int, start: int, syntax: str) -> tuple[dict[int, Value], dict[str, str]]:
    """Walk the data set; return where the wanted elements are, and the texts among them."""
    encoding = Encoding(
        explicit=syntax != IMPLICIT_LITTLE, order=">" if syntax == EXPLICIT_BIG else "<"
    )
    if os.fstat(fd).st_size <= start:
        raise BadDataset("the data set is empty")
    # Pages are read only where an element begins: pixel data cost neither time nor memory.
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as data:
        walked = walk(data, start, encoding, WANTED)
        found = walked.found
        values = values_of(data, found)
    try:
        _check_uids(values, found)
    except BadDataset:
        if walked.guessed is None:
            raise
        # After an invalid VR, the check for missing elements looked in the wrong place.
        raise no_vr(walked.guessed) from None
    _check_pixels(found.get(_PIXEL_DATA), syntax)
    return found, values


def _check_uids(values: dict[str, str], found: dict[int, Value]) -> None:
    for tag in UIDS:
        keyword = KEYWORDS[tag]
        if tag not in found:
            raise BadDataset(f"the data set has no {keyword}", MISSING_UID)
        if not storable_uid(values[keyword]):
            raise BadDataset(f"the {keyword} is not a UID", BAD_UID)


def _check_pixels(pixels: Value | None, syntax: str) -> None:
    if pixels is None or not pixels.length:
        return
    encapsulated = pixels.fragments >= 0
    if encapsulated and syntax in _NATIVE:
        raise BadDataset("encapsulated pixel data in a transfer syntax without compression")
    if not encapsulated and syntax.startswith(_COMPRESSED_PREFIXES):
        raise BadDataset("bare pixel data in a transfer syntax with compression")


def _pixels(found: dict[int, Value]) -> Value | None:
    places = (found.get(tag) for tag in PIXEL_KEYWORDS)
    return next((place for place in places if place is not None and place.length), None)


def _digest(fd: int, start: int, length: int) -> str:
    """Hash part of a file through one small buffer: a map of it would count as our memory."""
    digest = RunningDigest()
    buffer = memoryview(bytearray(min(_CHUNK, length)))
    while length > 0:
        got = os.preadv(fd, [buffer[: min(_CHUNK, length)]], start)
        if not got:
            raise BadDataset("the file ends before its data set")
        digest.update(buffer[:got])
        start, length = start + got, length - got
    return digest.text()


@contextmanager
def _plain(fd: int, name: str, meta: FileMeta) -> Iterator[tuple[int, int]]:
    """Give the data set inflated: a descriptor, and the offset where it begins."""
    if meta.transfer_syntax_uid != DEFLATED:
        yield fd, meta.dataset_offset
        return
    # Without a name, so that no crash leaves it behind; beside the spool's own files.
    folder = Path(name).parent
    with open(fd, "rb", closefd=False) as stream, tempfile.TemporaryFile(dir=folder) as target:
        _inflate(stream, meta.dataset_offset, target)
        target.flush()
        yield target.fileno(), 0


def _inflate(stream: BinaryIO, start: int, target: BinaryIO) -> None:
    """Inflate to a file. Some writers leave the trailer of gzip (checksum, length) at the end."""
    compressed = os.fstat(stream.fileno()).st_size - start
    limit = min(MAX_DATASET, max(FREE_INFLATION, MAX_RATIO * compressed))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    stream.seek(start)
    written = 0
    while not inflater.eof:
        data = inflater.unconsumed_tail or stream.read(_CHUNK)
        if not data:
            raise BadDataset("the deflated data set is cut off")
        try:
            part = inflater.decompress(data, _CHUNK)
        except zlib.error as error:
            raise BadDataset("the deflated data set is damaged") from error
        written += target.write(part)
        if written > limit:
            raise BadDataset("the deflated data set inflates too far")
    rest = (inflater.unused_data + stream.read(_TRAILER + 1)).rstrip(b"\0")
    size = struct.pack("<I", written % 2**32).rstrip(b"\0")
    if rest and not (len(rest) <= _TRAILER and rest[_CHECKSUM:] == size):
        raise BadDataset("bytes follow the deflated data set")
