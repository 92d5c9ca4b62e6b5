"""Unpack and verify the zip archive of a series; nothing in it is trusted."""

import csv
import hashlib
import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from pacs_ai.dicom.header import read_facts
from pacs_ai.errors import NotDicom, PeerError
from training.download.http import TransientError
from training.download.source import File, Series

HASHES = "md5hashes.csv"
_PREAMBLE, _MAGIC = 128, b"DICM"
_BLOCK = 1 << 20
_ENTRY_LIMIT = 8 << 30
"""Largest size of an unpacked file in bytes; real instances are much smaller."""
_LIST_LIMIT = 64 << 20


def unpack(path: Path, series: Series, folder: Path) -> list[File]:
    """Unpack the images of a zip archive, and verify each.

    Parameters
    ----------
    path
        The zip archive; it may also have a licence and a list of MD5 sums.
    series
        The expected series.
    folder
        The target; files are named ``00001.dcm`` and so on, never by names of the archive.

    Returns
    -------
    list of File
        The unpacked files.

    Raises
    ------
    zipfile.BadZipFile
        If it is truncated, damaged, or not a zip archive.
    TransientError
        If an image is missing, duplicated, damaged, or of another series.
    PeerError
        If the path of an entry leads out of the folder.
    """
    files: list[File] = []
    instances: set[str] = set()
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        for entry in entries:
            _refuse_outside(entry.filename, series)
        expected = _hashes(archive)
        arrived: dict[str, str] = {}
        for entry in entries:
            with archive.open(entry) as source:
                head = source.read(_PREAMBLE + len(_MAGIC))
                if not head.endswith(_MAGIC) or entry.filename == HASHES:
                    continue
                name = f"{len(files) + 1:05d}.dcm"
                file = _copy(head, source, folder / name)
            arrived[_base(entry.filename)] = file.md5
            instances.add(instance_of(folder / name, series))
            files.append(file)
    if not files:
        raise TransientError("the archive has no image, only a licence or a list")
    if expected is not None:
        _compare(expected, arrived)
    if len(instances) < len(files):
        raise TransientError(f"{len(files) - len(instances)} of {len(files)} images arrived twice")
    return files


def _refuse_outside(name: str, series: Series) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name:
        raise PeerError(
            f"series {series.uid}: the path of an entry leads out of the folder; "
            "nothing was kept. Tell the help desk of the archive"
        )


def _base(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _hashes(archive: zipfile.ZipFile) -> dict[str, str] | None:
    """Read the list of MD5 sums by file name; None if the archive has none."""
    for entry in archive.infolist():
        if _base(entry.filename) == HASHES:
            if entry.file_size > _LIST_LIMIT:
                raise TransientError("the list of MD5 sums is too long")
            text = archive.read(entry).decode("utf-8", "replace")
            rows = csv.reader(io.StringIO(text))
            pairs = [row for row in rows if len(row) > 1 and row[0].strip() != "Filename"]
            return {_base(row[0].strip()): row[1].strip().lower() for row in pairs}
    return None


def _copy(head: bytes, source: IO[bytes], path: Path) -> File:
    digest, size = hashlib.md5(head, usedforsecurity=False), len(head)
    with path.open("wb") as target:
        target.write(head)
        while block := source.read(_BLOCK):
            size += len(block)
            if size > _ENTRY_LIMIT:
                raise TransientError("an entry of the archive is larger than any image")
            digest.update(block)
            target.write(block)
    return File(path.name, size, digest.hexdigest())


def instance_of(path: Path, series: Series) -> str:
    """Return the SOP Instance UID of a file that belongs to the series.

    Raises
    ------
    TransientError
        If it is not a DICOM file, or of another series.
    """
    try:
        facts = read_facts(path, ("SOPInstanceUID", "SeriesInstanceUID"))
    except NotDicom as error:
        raise TransientError("a downloaded file is not DICOM") from error
    if not facts.get("SOPInstanceUID"):
        raise TransientError("a downloaded file is not DICOM")
    if facts.get("SeriesInstanceUID") != series.uid:
        raise TransientError("an image of another series arrived")
    return str(facts["SOPInstanceUID"])


def _compare(expected: dict[str, str], arrived: dict[str, str]) -> None:
    images = {name: md5 for name, md5 in expected.items() if name != "LICENSE"}
    missing = images.keys() - arrived.keys()
    if missing:
        raise TransientError(f"{len(missing)} of {len(images)} listed images did not arrive")
    wrong = [name for name, md5 in arrived.items() if images.get(name, md5) != md5]
    if wrong:
        raise TransientError(f"{len(wrong)} images do not have the MD5 sum the archive lists")
