"""The Cancer Imaging Archive, by version 4 or version 1 of the NBIA interface."""

import csv
import difflib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pacs_ai.errors import DataError, PeerError, PeerUnreachable
from pacs_ai.uids import storable_uid
from training.download.archive import unpack
from training.download.http import Http, RequestRefused, RetryPolicy, TransientError
from training.download.source import Advance, File, Series

SERVER = "https://nbia.cancerimagingarchive.net/nbia-api/services"

T = TypeVar("T")

_VERSIONS = ("v4", "v1")
_GONE = frozenset({404, 405, 410, 501})
"""Statuses that mean that the call does not exist; the other version may have it."""
_UIDS_AT_ONCE = 1000
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""Errors of `zipfile` for an archive that is truncated, damaged, encrypted, or not a zip file."""
_PAGE = ("<", "<!doctype", "<html")
_NAMES: Mapping[str, tuple[str, ...]] = {
    "uid": ("SeriesInstanceUID", "Series UID", "SeriesUID"),
    "collection": ("Collection",),
    "modality": ("Modality",),
    "images": ("ImageCount", "Number of Images"),
    "bytes": ("FileSize", "File Size"),
    "licence": ("LicenseName", "License Name"),
    "licence_uri": ("LicenseURI", "License URI", "License URL"),
    "citation_uri": ("DataDescriptionURI", "CollectionURI", "Data Description URI"),
    "patient": ("PatientID", "PatientId", "Subject ID"),
}
"""Names of the columns, in versions 4 and 1 and in their metadata."""


class Nbia:
    """An NBIA server.

    Parameters
    ----------
    server
        Its address up to ``services``; "" for The Cancer Imaging Archive. The National Lung
        Screening Trial has its own server.
    retry_policy
        When and how often requests are retried.
    """

    name = "NBIA"

    def __init__(self, server: str = "", retry_policy: RetryPolicy | None = None) -> None:
        self._http = Http(server or SERVER, retry_policy or RetryPolicy())
        self._answered: dict[str, str] = {}

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def collection(self, name: str) -> list[Series]:
        """List the series of a collection; see `Source`."""
        rows = self._rows("getSeries", {"Collection": name})
        if not rows:
            raise DataError(self._no_collection(name))
        return _unique(_series(row) for row in rows)

    def series(self, uids: Sequence[str]) -> list[Series]:
        """Look up series by their UIDs; see `Source`."""
        known: dict[str, Series] = {}
        for first in range(0, len(uids), _UIDS_AT_ONCE):
            for found in self._metadata(uids[first : first + _UIDS_AT_ONCE]):
                known.setdefault(found.uid, found)
        for uid in uids:
            if uid not in known:
                rows = self._rows("getSeries", {"SeriesInstanceUID": uid})
                known |= {found.uid: found for found in map(_series, rows)}
        unknown = [uid for uid in uids if uid not in known]
        if unknown:
            raise DataError(
                f"{len(unknown)} series are not at {self._http.base} (the first: {unknown[0]}): "
                "they are restricted, withdrawn, or on another server (--server)"
            )
        return [known[uid] for uid in dict.fromkeys(uids)]

    def fetch(self, series: Series, folder: Path, advance: Advance) -> list[File]:
        """Download a series and verify it; see `Source`."""
        return self._http.with_retries(
            lambda: self._fetch_once(series, folder, advance), f"series {series.uid}"
        )

    def _fetch_once(self, series: Series, folder: Path, advance: Advance) -> list[File]:
        part = folder / "series.zip.part"
        for left_over in folder.iterdir():
            left_over.unlink()
        query = {"SeriesInstanceUID": series.uid}

        def receive(version: str) -> None:
            with (
                self._http.stream(f"{version}/getImageWithMD5Hash", query) as response,
                part.open("wb") as file,
            ):
                for chunk in self._http.chunks(response):
                    file.write(chunk)
                    advance(len(chunk))

        self._call_either_version("getImageWithMD5Hash", receive)
        try:
            files = unpack(part, series, folder)
        except _DAMAGED as error:
            raise TransientError(_what_arrived(part)) from error
        part.unlink()
        if series.images and len(files) != series.images:
            self._check_count(series, len(files))
        return files

    def _check_count(self, series: Series, arrived: int) -> None:
        """Accept another number of images only if the archive now lists that number."""
        rows = self._rows("getSeries", {"SeriesInstanceUID": series.uid})
        now = _series(rows[0]).images if rows else 0
        if now != arrived:
            raise TransientError(f"{arrived} of {now or series.images} images arrived")

    def _metadata(self, uids: Sequence[str]) -> list[Series]:
        """Request the metadata of many series at once, which only version 4 supports."""
        form = {"list": ",".join(uids), "format": "CSV"}
        try:
            text = self._http.ask("v4/getSeriesMetadata", form, str, post=True)
        except RequestRefused:
            return []
        if text.lstrip().lower().startswith(_PAGE):
            return []
        rows = list(csv.DictReader(io.StringIO(text)))
        return [_series(row) for row in rows if _value(row, "uid")]

    def _rows(self, call: str, query: Mapping[str, str]) -> list[dict[str, str]]:
        def ask(version: str) -> list[dict[str, str]]:
            return self._http.ask(f"{version}/{call}", query, partial(_parse, call))

        return self._call_either_version(call, ask)

    def _call_either_version(self, call: str, ask: Callable[[str], T]) -> T:
        """Use the version that answered this call before; else try each, the newest first.

        The older version is used if the newer one lacks the call, or if all its retries fail.
        """
        answered = self._answered.get(call)
        for version in (answered,) if answered else _VERSIONS:
            try:
                answer = ask(version)
            except PeerUnreachable:
                raise
            except PeerError as error:
                gone = not isinstance(error, RequestRefused) or error.status in _GONE
                if gone and version != _VERSIONS[-1] and not answered:
                    continue
                raise self._refused(call, error) from error
            self._answered[call] = version
            return answer
        raise AssertionError(call)

    def _refused(self, call: str, error: PeerError) -> PeerError:
        if not isinstance(error, RequestRefused):
            return error
        if error.status in _GONE:
            return PeerError(
                f"{self._http.base} has no {call}, neither in version 4 nor in version 1: "
                "is --server the address up to /services?"
            )
        return PeerError(f"{self._http.base}: {call}: {error.message}")

    def _no_collection(self, name: str) -> str:
        rows = self._rows("getCollectionValues", {})
        names = [row["Collection"] for row in rows if "Collection" in row]
        lower = {each.lower(): each for each in names}
        close = difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.4)
        hint = f" Is it {' or '.join(lower[each] for each in close)}?" if close else ""
        return (
            f"there is no public collection {name!r} at {self._http.base}.{hint} Names are "
            "case-sensitive, and some collections have a server of their own (--server)"
        )


def _parse(call: str, text: str) -> list[dict[str, str]]:
    """Read rows; an empty text has none, and null values are left out."""
    stripped = text.strip()
    if not stripped:
        return []
    if stripped.lower().startswith(_PAGE):
        raise TransientError(f"{call} gave a web page: a proxy, or the server is under maintenance")
    try:
        rows = json.loads(stripped)
    except json.JSONDecodeError as error:
        raise TransientError(f"{call} gave an answer that is not JSON") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TransientError(f"{call} gave an answer that is not a list of rows")
    return [
        {key: str(value).strip() for key, value in row.items() if value is not None} for row in rows
    ]


def _series(row: Mapping[str, str]) -> Series:
    return Series(
        uid=_value(row, "uid"),
        collection=_value(row, "collection"),
        modality=_value(row, "modality"),
        images=_count(_value(row, "images")),
        bytes=_count(_value(row, "bytes")),
        licence=_value(row, "licence"),
        licence_uri=_value(row, "licence_uri"),
        citation_uri=_value(row, "citation_uri"),
        patient=_value(row, "patient"),
        facts=dict(row),
    )


def _value(row: Mapping[str, str], what: str) -> str:
    return next((row[name].strip() for name in _NAMES[what] if row.get(name)), "")


def _count(text: str) -> int:
    try:
        return max(0, int(float(text)))
    except ValueError:
        return 0


def _unique(series: Iterable[Series]) -> list[Series]:
    found: dict[str, Series] = {}
    for each in series:
        if storable_uid(each.uid):
            found.setdefault(each.uid, each)
    return list(found.values())


def _what_arrived(part: Path) -> str:
    """Describe what arrived instead of a zip archive."""
    with part.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if not start:
        return "the answer is empty"
    if start.startswith((b"<", b"<!doctype")):
        return "a web page arrived: from a proxy, a login, or a server under maintenance"
    return "the archive is truncated or damaged"
