"""The archive of an evidence: a ZIP file with the digest of everything in it."""

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacs_ai.errors import Corrupted
from pacs_ai.files import PRIVATE, atomic_file, translated

CONTENT, SUMS = "evidence.json", "SHA256SUMS"
FOLDER = "evidence"
"""Below the folder of a node in the spool: archives that were written before files were removed."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of all members: the same content gives the same bytes."""
_PIECE = 1 << 20
_DAMAGED = (
    *(EOFError, KeyError, OSError, RuntimeError, ValueError),
    *(struct.error, zipfile.BadZipFile, zlib.error),
)
"""What reading a damaged ZIP file ends in; RuntimeError where a damaged flag says "encrypted"."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read: what it states, and its file."""

    path: Path
    content: Mapping[str, Any]

    def read(self, name: str) -> bytes:
        """Read a member.

        Raises
        ------
        Corrupted
            If it is missing or damaged.
        """
        return _member(self.path, name)


def write_archive(
    path: Path, content: Mapping[str, Any], files: Mapping[str, Path | bytes]
) -> None:
    """Write an archive; its permissions are those of a file with patient data.

    Parameters
    ----------
    path
        The file.
    content
        What it states, values for JSON.
    files
        Members by name: bytes, or the file to take them from.

    Raises
    ------
    StorageError
        If a file cannot be read, or the archive cannot be written.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False).encode()
    sums = []
    with (
        atomic_file(path, mode=PRIVATE) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, source in {CONTENT: text, **files}.items():
            sums.append(f"{_write(archive, name, source)}  {name}\n")
        archive.writestr(_info(SUMS), "".join(sums))


def read_archive(path: Path) -> Archive:
    """Read an archive, and check the digest of each of its members.

    Raises
    ------
    StorageError
        If the file cannot be read.
    Corrupted
        If it is no such archive, or a member is missing, added or changed.
    """
    with translated(path, "cannot be read"), path.open("rb"):
        pass
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist()) - {SUMS}
        lines = _member(path, SUMS).decode().splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        content = json.loads(_member(path, CONTENT))
    except _DAMAGED as error:
        raise Corrupted(f"{path} is not an archive of evidence") from error
    if names != set(sums):
        raise Corrupted(f"{path}: {sorted(names ^ set(sums))[0]} is missing or was added")
    for name, digest in sums.items():
        if hashlib.sha256(_member(path, name)).hexdigest() != digest:
            raise Corrupted(f"{path}: {name} is not what was written")
    return Archive(path, content)


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except _DAMAGED as error:
        raise Corrupted(f"{path}: {name} is missing or damaged") from error


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = PRIVATE << 16
    return info


def _write(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> str:
    """Write a member piece by piece, since an image may be large; return its digest."""
    digest = hashlib.sha256()
    with archive.open(_info(name), "w", force_zip64=True) as member:
        for piece in _pieces(source):
            member.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _pieces(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with translated(source, "cannot be read"), source.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
