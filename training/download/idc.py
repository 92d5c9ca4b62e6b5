"""The Imaging Data Commons: an index from a Python package, and public buckets."""

import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from pacs_ai.errors import ConfigError, DataError, PeerError
from pacs_ai.uids import storable_uid
from training.download.archive import instance_of
from training.download.bucket import get, listed
from training.download.http import Http, RequestRefused, RetryPolicy, TransientError
from training.download.source import Advance, File, Series

BUCKETS = "https://{bucket}.s3.amazonaws.com"
"""Address of a bucket; its files are listed and fetched by the S3 interface."""

Column = Literal["collection_id", "SeriesInstanceUID"]
Index = Callable[[Column, Sequence[str]], list[dict[str, str]]]
"""Returns the rows of the index whose column has one of the values; nulls are left out."""

_MEGABYTE = 1e6


class Idc:
    """The Imaging Data Commons.

    Parameters
    ----------
    server
        Address of a bucket, with ``{bucket}`` for its name.
    retry_policy
        When and how often requests are retried.
    index
        The index; by default that of the package ``idc-index-data``.
    """

    name = "IDC"

    def __init__(
        self, server: str = "", retry_policy: RetryPolicy | None = None, index: Index | None = None
    ) -> None:
        self._server = server or BUCKETS
        if "{bucket}" not in self._server:
            raise ConfigError(f"{self._server}: the address of the buckets needs {{bucket}} in it")
        self._retry_policy = retry_policy or RetryPolicy()
        self._index = index or installed_index()
        self._buckets: dict[str, Http] = {}

    def close(self) -> None:
        """Close all connections."""
        for bucket in self._buckets.values():
            bucket.close()

    def collection(self, name: str) -> list[Series]:
        """List the series of a collection, without derived results; see `Source`."""
        identifier = re.sub(r"[^a-z0-9]+", "_", name.lower())
        rows = self._index("collection_id", [identifier])
        found = self._known(row for row in rows if "analysis_result_id" not in row)
        if not found:
            raise DataError(
                f"the index of the Imaging Data Commons has no collection {identifier}; a newer "
                "one may have it: pip install --upgrade idc-index-data"
            )
        return found

    def series(self, uids: Sequence[str]) -> list[Series]:
        """Look up series by their UIDs; see `Source`."""
        known = {each.uid: each for each in self._known(self._index("SeriesInstanceUID", uids))}
        unknown = [uid for uid in uids if uid not in known]
        if unknown:
            raise DataError(
                f"{len(unknown)} series are not in the index of the Imaging Data Commons (the "
                f"first: {unknown[0]}): look in a newer one, or in the other archive (--archive)"
            )
        return [known[uid] for uid in dict.fromkeys(uids)]

    def fetch(self, series: Series, folder: Path, advance: Advance) -> list[File]:
        """Download a series file by file and verify each; see `Source`."""
        bucket = self._buckets[series.facts["aws_bucket"]]
        try:
            return _fetch(bucket, series, folder, advance)
        except RequestRefused as error:
            raise PeerError(f"series {series.uid}: {bucket.base}: {error.message}") from error

    def _known(self, rows: Iterable[Mapping[str, str]]) -> list[Series]:
        found: dict[str, Series] = {}
        for row in rows:
            if storable_uid(row["SeriesInstanceUID"]):
                found.setdefault(row["SeriesInstanceUID"], _series(row))
                name = row["aws_bucket"]
                if name not in self._buckets:
                    self._buckets[name] = Http(self._server.format(bucket=name), self._retry_policy)
        return list(found.values())


def installed_index() -> Index:
    """Open the installed index.

    Raises
    ------
    ConfigError
        If no index is installed.
    """
    try:
        duckdb = importlib.import_module("duckdb")
        path = str(importlib.import_module("idc_index_data").IDC_INDEX_PARQUET_FILEPATH)
    except ImportError as error:
        raise ConfigError(
            "the Imaging Data Commons needs its index, which is not installed: "
            "pip install 'pacs-ai[train,idc]'"
        ) from error

    def rows(column: Column, values: Sequence[str]) -> list[dict[str, str]]:
        with duckdb.connect() as connection:
            query = f"SELECT * FROM read_parquet(?) WHERE list_contains(?, {column})"  # noqa: S608 - a name of ours
            found = connection.execute(query, [path, list(values)])
            names = [each[0] for each in found.description]
            return [
                {n: str(v) for n, v in zip(names, row, strict=True) if v is not None}
                for row in found.fetchall()
            ]

    return rows


def _series(row: Mapping[str, str]) -> Series:
    doi = row.get("source_DOI", "")
    return Series(
        uid=row["SeriesInstanceUID"],
        collection=row["collection_id"],
        modality=row.get("Modality", ""),
        images=int(row["instanceCount"]),
        bytes=round(float(row["series_size_MB"]) * _MEGABYTE),
        licence=row.get("license_short_name", ""),
        citation_uri=f"https://doi.org/{doi}" if doi else "",
        patient=row.get("PatientID", ""),
        facts=dict(row),
    )


def _fetch(bucket: Http, series: Series, folder: Path, advance: Advance) -> list[File]:
    stored = listed(bucket, f"{series.facts['crdc_series_uuid']}/")
    if len(stored) != series.images:
        raise PeerError(
            f"series {series.uid}: {bucket.base} has {len(stored)} files of it, the index "
            f"{series.images}: the index may be too old: pip install --upgrade idc-index-data"
        )
    files, instances = [], set()
    for number, each in enumerate(stored, 1):
        path = folder / f"{number:05d}.dcm"
        once = partial(get, bucket, each, path, advance)
        files.append(bucket.with_retries(once, f"series {series.uid}"))
        instances.add(_instance(path, series))
    if len(instances) < len(files):
        raise PeerError(f"series {series.uid}: {len(files) - len(instances)} images arrived twice")
    return files


def _instance(path: Path, series: Series) -> str:
    try:
        return instance_of(path, series)
    except TransientError as error:
        raise PeerError(f"series {series.uid}: {error.reason}") from error
