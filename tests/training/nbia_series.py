"""The series that the NBIA server of the tests stores, and their zip archives with faults."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pydicom

COLLECTION = "PHANTOM-DX"


@dataclass(frozen=True)
class Instance:
    """One stored file."""

    path: Path
    uid: str


@dataclass
class StoredSeries:
    """One series: its row in version 4, and its files."""

    row: dict[str, object]
    instances: list[Instance] = field(default_factory=list)


def load(folder: Path) -> dict[str, StoredSeries]:
    """Read the headers of a tree of DICOM files."""
    found: dict[str, StoredSeries] = {}
    for path in sorted(folder.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        series = found.setdefault(header.SeriesInstanceUID, StoredSeries(_row(header)))
        series.instances.append(Instance(path, header.SOPInstanceUID))
        series.row["ImageCount"] = len(series.instances)
        series.row["FileSize"] += path.stat().st_size
    return found


def _row(header: pydicom.Dataset) -> dict[str, object]:
    return {
        "SeriesInstanceUID": str(header.SeriesInstanceUID),
        "StudyInstanceUID": str(header.StudyInstanceUID),
        "Modality": str(header.Modality),
        "BodyPartExamined": header.get("BodyPartExamined") or None,
        "Collection": COLLECTION,
        "PatientID": str(header.PatientID),
        "Manufacturer": header.get("Manufacturer") or None,
        "ImageCount": 0,
        "LicenseName": "Creative Commons Attribution 4.0 International License",
        "LicenseURI": "https://creativecommons.org/licenses/by/4.0/",
        "DataDescriptionURI": "https://doi.org/10.0000/phantom",
        "FileSize": 0,
        "SeriesDate": None,
        "Authorized": "1",
    }


def archive(series: StoredSeries, fault: str, *, licence: bool, hashes: bool) -> bytes:
    """Make the zip archive of a series, with its fault."""
    files = [(f"{i:08d}.dcm", each.path.read_bytes()) for i, each in enumerate(series.instances, 1)]
    files = spoilt(files, fault, str(series.row["SeriesInstanceUID"]))
    listed = [(name, hashlib.md5(body, usedforsecurity=False).hexdigest()) for name, body in files]
    if fault == "wrong-md5":
        listed[0] = (listed[0][0], "0" * 32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as zipped:
        if licence or fault == "licence-only":
            zipped.writestr("LICENSE", "CC BY 4.0")
        for name, content in files:
            zipped.writestr(name, content)
        if hashes:
            listed.reverse()  # the real list is in no order
            rows = "\n".join(f"{name},{digest}" for name, digest in listed)
            zipped.writestr("md5hashes.csv", f"Filename,MD5Hash\n{rows}\n")
    body = bytearray(buffer.getvalue())
    if fault == "damaged":
        body[len(body) // 3] ^= 0xFF
    return bytes(body)


def spoilt(files: list[tuple[str, bytes]], fault: str, uid: str) -> list[tuple[str, bytes]]:
    """Do to the files of a series what the server does not notice."""
    name, content = files[0]
    spoils = {
        "short": files[:-1],
        "duplicate": [*files[:-1], (files[-1][0], content)],
        "licence-only": [],
        "traversal": [*files, ("../../x.dcm", content)],
        "foreign": [(name, content.replace(uid.encode(), uid[:-1].encode() + b"\0")), *files[1:]],
        "not-dicom": [(name, bytes(128) + b"DICM" + b"\xff" * 64), *files[1:]],
    }
    return spoils.get(fault, files)
