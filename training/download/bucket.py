"""Files of a public bucket with an S3 interface: list, fetch and verify them."""

import hashlib
import re
import xml.parsers.expat
from dataclasses import dataclass
from pathlib import Path

from training.download.http import Http, TransientError
from training.download.source import Advance, File

_OBJECT = re.compile(r"[0-9a-f-]+/[0-9a-f-]+\.dcm")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of a bucket; ``etag`` is its MD5 unless it was uploaded in parts."""

    key: str
    bytes: int
    etag: str


def listed(bucket: Http, prefix: str) -> list[Stored]:
    """List the DICOM files below a prefix, a page of a thousand at a time.

    Raises
    ------
    RequestRefused
        If the bucket does not exist, or is not public.
    PeerError
        If it cannot be reached, or its answer is invalid.
    """
    stored: list[Stored] = []
    more: dict[str, str] = {}
    while True:
        query = {"list-type": "2", "prefix": prefix, **more}
        page, token = bucket.ask("", query, _parse)
        stored += page
        if not token:
            return stored
        more = {"continuation-token": token}


def _parse(text: str) -> tuple[list[Stored], str]:
    """Read a page of a list (ListObjectsV2), and the token of the next one, "" at the end."""
    entries: list[dict[str, str]] = [{}]  # the first entry is the page itself
    path: list[str] = []
    parser = xml.parsers.expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        path.append(name)
        if name == "Contents":
            entries.append({})

    def read(data: str) -> None:
        entry = entries[-1] if "Contents" in path else entries[0]
        entry[path[-1]] = entry.get(path[-1], "") + data

    def entity(*_parts: object) -> None:
        raise ValueError("entities")

    parser.StartElementHandler, parser.EndElementHandler = start, lambda _: path.pop()
    parser.CharacterDataHandler, parser.EntityDeclHandler = read, entity
    try:
        parser.Parse(text, True)  # noqa: FBT003 - expat's own signature
        stored = [Stored(e["Key"], int(e["Size"]), e["ETag"].strip('"')) for e in entries[1:]]
    except (ValueError, KeyError, xml.parsers.expat.ExpatError) as error:
        raise TransientError("the list of files cannot be read") from error
    token = entries[0].get("NextContinuationToken", "")
    return [each for each in stored if _OBJECT.fullmatch(each.key)], token


def get(bucket: Http, stored: Stored, path: Path, advance: Advance) -> File:
    """Fetch one file, and compare it with its size and MD5 sum.

    Raises
    ------
    TransientError
        If it did not arrive completely.
    """
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with bucket.stream(stored.key, {}) as response, path.open("wb") as file:
        for chunk in bucket.chunks(response):
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            advance(len(chunk))
    if size != stored.bytes:
        raise TransientError(f"{size} of {stored.bytes} bytes arrived")
    if _MD5.fullmatch(stored.etag) and digest.hexdigest() != stored.etag:
        raise TransientError("it does not have the MD5 sum that the bucket lists")
    return File(path.name, size, digest.hexdigest())
