"""A stand-in for public buckets, over real HTTP: lists and files as Amazon's S3 gives them.

A bucket is the first part of the path. Series lie in it as they do in the Imaging Data Commons: a
folder named by an identifier, in it files named by others.
"""

import hashlib
import threading
import uuid
from collections import Counter, defaultdict
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pydicom

from tests.training.running import running

BUCKETS = ("open-data", "open-data-two")
PAGE = 3
"""Files on a page of a list; a thousand in the real one."""


class BucketServer(ThreadingHTTPServer):
    """Serves a tree of DICOM files.

    ``objects`` holds bucket and key of every file, ``index`` the rows that an index has of their
    series. ``faults[key]`` is what goes wrong with the next requests for a file: error, cut,
    changed, denied; ``parts`` names files that were uploaded in parts, so that their ETag is no
    MD5 sum. ``asked`` counts requests for files by key.
    """

    daemon_threads = True

    def __init__(self, folder: Path, collection: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[tuple[str, str], Path] = {}
        self.index: dict[str, dict[str, str]] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.parts: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        for path in sorted(folder.rglob("*.dcm")):
            self._add(path, collection)

    def _add(self, path: Path, collection: str) -> None:
        header = pydicom.dcmread(path, stop_before_pixels=True)
        uid = str(header.SeriesInstanceUID)
        row = self.index.setdefault(
            uid,
            {
                "SeriesInstanceUID": uid,
                "collection_id": collection,
                "PatientID": str(header.PatientID),
                "Modality": str(header.Modality),
                "source_DOI": "10.0000/phantom",
                "license_short_name": "CC BY 4.0",
                "aws_bucket": BUCKETS[len(self.index) % len(BUCKETS)],
                "crdc_series_uuid": identifier(uid),
                "instanceCount": "0",
                "series_size_MB": "0",
            },
        )
        row["instanceCount"] = str(int(row["instanceCount"]) + 1)
        row["series_size_MB"] = str(float(row["series_size_MB"]) + path.stat().st_size / 1e6)
        name = identifier(str(header.SOPInstanceUID))
        self.objects[row["aws_bucket"], f"{row['crdc_series_uuid']}/{name}.dcm"] = path

    def rows(self, column: str, values: object) -> list[dict[str, str]]:
        """Answer as the installed index does."""
        return [dict(row) for row in self.index.values() if row[column] in values]

    @property
    def url(self) -> str:
        """Address of a bucket, for a client."""
        return f"http://127.0.0.1:{self.server_address[1]}/{{bucket}}"

    def keys_of(self, uid: str) -> list[str]:
        """Name the files of a series."""
        prefix = self.index[uid]["crdc_series_uuid"]
        return [key for _, key in self.objects if key.startswith(prefix)]


def identifier(uid: str) -> str:
    """Make an identifier like those of the Imaging Data Commons."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, uid))


class _Handler(BaseHTTPRequestHandler):
    server: BucketServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if bucket not in BUCKETS:
            self._send(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif not key and query.get("list-type") == "2":
            self._send(200, self._list(bucket, query).encode())
        elif (bucket, key) in self.server.objects:
            self._file(bucket, key)
        else:
            self._send(403, b"<Error><Code>AccessDenied</Code></Error>")

    def log_message(self, *_parts: object) -> None:
        pass

    def _list(self, bucket: str, query: dict[str, str]) -> str:
        found = sorted(
            (key, path)
            for (name, key), path in self.server.objects.items()
            if name == bucket and key.startswith(query["prefix"])
        )
        start = int(query.get("continuation-token", 0))
        rest = start + PAGE < len(found)
        entries = "".join(
            f"<Contents><Key>{key}</Key><ETag>&quot;{self._etag(key, path)}&quot;</ETag>"
            f"<Size>{path.stat().st_size}</Size></Contents>"
            for key, path in found[start : start + PAGE]
        )
        token = f"<NextContinuationToken>{start + PAGE}</NextContinuationToken>" if rest else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{bucket}</Name><IsTruncated>{str(rest).lower()}</IsTruncated>{token}{entries}"
            "</ListBucketResult>"
        )

    def _etag(self, key: str, path: Path) -> str:
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        return f"{digest[::-1]}-2" if key in self.server.parts else digest

    def _file(self, bucket: str, key: str) -> None:
        body = self.server.objects[bucket, key].read_bytes()
        with self.server.lock:
            self.server.asked[key] += 1
            fault = self.server.faults[key].pop(0) if self.server.faults[key] else ""
        if fault == "denied":
            self._send(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif fault == "error":
            self._send(503, b"<Error><Code>SlowDown</Code></Error>")
        elif fault == "changed":
            self._send(200, body[:-1] + bytes([body[-1] ^ 0xFF]))
        else:
            self._send(200, body, cut=fault == "cut")

    def _send(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = True


def buckets(folder: Path, collection: str) -> AbstractContextManager[BucketServer]:
    """Serve a folder until the block ends."""
    return running(BucketServer(folder, collection))
