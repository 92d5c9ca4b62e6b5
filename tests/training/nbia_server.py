"""A stand-in for an NBIA server, over real HTTP, with every fault the real one is known for.

``python -m tests.training.nbia_server FOLDER --port 8042`` serves the DICOM files of a folder.
"""

import argparse
import csv
import io
import json
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.training.nbia_series import COLLECTION, StoredSeries, archive, load
from tests.training.running import running

ROOT = "/nbia-api/services/"
HTML = b"<!DOCTYPE html><html><body>Login needed</body></html>"
ALLOWED = {
    "getCollectionValues": set(),
    "getPatient": {"Collection", "PatientId"},
    "getPatientStudy": {"Collection", "PatientID", "StudyInstanceUID"},
    "getSeries": {"Collection", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"},
    "getSeriesSize": {"SeriesInstanceUID"},
    "getSOPInstanceUIDs": {"SeriesInstanceUID"},
    "getSingleImage": {"SeriesInstanceUID", "SOPInstanceUID"},
    "getImage": {"SeriesInstanceUID", "NewFileNames", "IncludeMD5"},
    "getImageWithMD5Hash": {"SeriesInstanceUID"},
    "getSeriesMetadata": {"list", "format"},
    "getManifestForSimpleSearch": {"criteriaType0", "value0"},
}
FAULTS = (
    *("empty", "refuse", "error", "busy", "cut", "short", "wrong-md5", "html", "drip"),
    *("traversal", "duplicate", "licence-only", "foreign", "not-dicom", "damaged"),
)
"""What may be wrong with the images of a series; ``server.faults[uid]`` takes them in turn."""


class NbiaServer(ThreadingHTTPServer):
    """Serves series.

    ``faults`` holds for each series what goes wrong with its next requests for images; ``always``
    what goes wrong with all of them. ``broken_calls`` do the same for queries by name. ``gone``
    names versions that answer 404. ``drip`` is the pause of a slow answer, in seconds, ``pace``
    that between blocks of every answer. ``asked`` counts (call, series).
    """

    daemon_threads = True

    def __init__(self, series: dict[str, StoredSeries], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.series = series
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.always: dict[str, str] = {}
        self.broken_calls: dict[str, list[str]] = defaultdict(list)
        self.gone: set[str] = set()
        self.drip, self.pace = 0.5, 0.0
        self.asked: Counter[tuple[str, str]] = Counter()
        self.whole: Counter[str] = Counter()
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep silent about clients that were killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Address for a client."""
        return f"http://127.0.0.1:{self.server_address[1]}{ROOT.rstrip('/')}"

    def fault_of(self, uid: str) -> str:
        """Take the next fault of a series."""
        with self.lock:
            return self.faults[uid].pop(0) if self.faults[uid] else self.always.get(uid, "")


class _Handler(BaseHTTPRequestHandler):
    server: NbiaServer

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(dict(parse_qsl(body)))

    def log_message(self, *_parts: object) -> None:
        pass

    def _answer(self, query: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        if path == "/nbia-api/oauth/token":
            self._send(200, json.dumps({"access_token": "guest", "expires_in": 7200}).encode())
            return
        version, _, call = path.removeprefix(ROOT).partition("/")
        with self.server.lock:
            self.server.asked[call, query.get("SeriesInstanceUID", "")] += 1
            broken = self.server.broken_calls[call]
            fault = broken.pop(0) if broken else ""
        if version in self.server.gone or call not in ALLOWED:
            self._send(404, HTML, "text/html")
        elif version == "v4" and not query.keys() <= ALLOWED[call] | {"format"}:
            self._send(400, f"allowed: {', '.join(sorted(ALLOWED[call]))}".encode())
        elif fault and self._fail(fault):
            return
        else:
            getattr(self, f"_{call}")(query, version)

    def _fail(self, fault: str) -> bool:
        """Answer a query, or a request for images, with what needs no image."""
        if fault == "empty":
            self._send(200, b"")
        elif fault == "html":
            self._send(200, HTML, "text/html")
        elif fault == "refuse":
            self._send(400, b"Series is not public or unknown")
        elif fault == "error":
            self._send(500, b"Server was not able to process your request")
        elif fault == "busy":
            self._send(429, b"", headers={"Retry-After": "1"})
        else:
            return False
        return True

    def _rows(self, query: dict[str, str]) -> list[dict[str, object]]:
        wanted = {name: value for name, value in query.items() if name != "format"}
        rows = [series.row for series in self.server.series.values()]
        return [row for row in rows if all(str(row.get(n)) == v for n, v in wanted.items())]

    def _json(self, rows: list[dict[str, object]], version: str) -> None:
        """Send rows without their nulls; no rows are no bytes at all."""
        old = {"Authorized", "DataDescriptionURI"} if version == "v1" else set()
        kept = [{k: v for k, v in row.items() if v is not None and k not in old} for row in rows]
        for row, whole in zip(kept, rows, strict=True):
            if old and "DataDescriptionURI" in whole:
                row["CollectionURI"] = whole["DataDescriptionURI"]
        self._send(200, json.dumps(kept).encode() if kept else b"")

    def _getCollectionValues(self, _query: dict[str, str], version: str) -> None:
        self._json([{"Collection": COLLECTION}], version)

    def _getSeries(self, query: dict[str, str], version: str) -> None:
        self._json(self._rows(query), version)

    def _distinct(self, query: dict[str, str], version: str, *names: str) -> None:
        found = {tuple(row[name] for name in names) for row in self._rows(query)}
        self._json([dict(zip(names, values, strict=True)) for values in sorted(found)], version)

    def _getPatient(self, query: dict[str, str], version: str) -> None:
        self._distinct(query, version, "PatientID", "Collection")

    def _getPatientStudy(self, query: dict[str, str], version: str) -> None:
        self._distinct(query, version, "StudyInstanceUID", "PatientID", "Collection")

    def _getSeriesSize(self, query: dict[str, str], version: str) -> None:
        rows = self._rows(query)
        self._json(
            [{"TotalSizeInBytes": r["FileSize"], "ObjectCount": r["ImageCount"]} for r in rows],
            version,
        )

    def _getSOPInstanceUIDs(self, query: dict[str, str], version: str) -> None:
        series = self.server.series.get(query["SeriesInstanceUID"])
        uids = [instance.uid for instance in series.instances] if series else []
        self._json([{"SOPInstanceUID": uid} for uid in uids], version)

    def _getSeriesMetadata(self, query: dict[str, str], _version: str) -> None:
        uids = query["list"].split(",")
        rows = [series.row for uid, series in self.server.series.items() if uid in uids]
        table = io.StringIO()
        writer = csv.DictWriter(table, [*_COLUMNS])
        writer.writeheader()
        writer.writerows({k: v for k, v in row.items() if k in _COLUMNS} for row in rows)
        self._send(200, table.getvalue().encode() if rows else b"", "text/csv")

    def _getManifestForSimpleSearch(self, _query: dict[str, str], _version: str) -> None:
        self._send(200, manifest(self.server.series, self.server.url).encode(), "text/plain")

    def _getSingleImage(self, query: dict[str, str], _version: str) -> None:
        for series in self.server.series.values():
            for instance in series.instances:
                if instance.uid == query["SOPInstanceUID"]:
                    self._send(200, instance.path.read_bytes(), "application/dicom")
                    return
        self._send(400, b"no such image")

    def _getImage(self, query: dict[str, str], _version: str) -> None:
        self._images(query["SeriesInstanceUID"], licence=True, hashes="IncludeMD5" in query)

    def _getImageWithMD5Hash(self, query: dict[str, str], _version: str) -> None:
        self._images(query["SeriesInstanceUID"], licence=False, hashes=True)

    def _images(self, uid: str, *, licence: bool, hashes: bool) -> None:
        fault = self.server.fault_of(uid)
        series = self.server.series.get(uid)
        if series is None or fault == "refuse":
            self._fail("refuse")
        elif not self._fail(fault):
            body = archive(series, fault, licence=licence, hashes=hashes)
            self._stream(body, fault)
            with self.server.lock:
                self.server.whole[uid] += not fault

    def _stream(self, body: bytes, fault: str) -> None:
        """Send without a length, as the server does; in chunks, or cut off, or drop by drop."""
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if fault == "cut":
            body = body[: len(body) // 2]
        size = 64 if fault == "drip" else 1 << 14
        for start in range(0, len(body), size):
            block = body[start : start + size]
            self.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")
            self.wfile.flush()
            time.sleep(self.server.drip if fault == "drip" else self.server.pace)
        if fault != "cut":
            self.wfile.write(b"0\r\n\r\n")

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_COLUMNS = (
    *("Collection", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("ImageCount", "FileSize", "LicenseName", "LicenseURI", "DataDescriptionURI"),
)


def manifest(uids: object, url: str) -> str:
    """Write a manifest as the server's cart does."""
    header = (
        f"downloadServerUrl={url}\nincludeAnnotation=true\nnoOfrRetry=4\n"
        "databasketId=manifest-1.tcia\nmanifestVersion=3.0\nListOfSeriesToDownload=\n"
    )
    return header + "\n".join(uids) + "\n"


def serving(folder: Path, port: int = 0) -> AbstractContextManager[NbiaServer]:
    """Serve a folder until the block ends."""
    return running(NbiaServer(load(folder), port))


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8042)
    options = parser.parse_args()
    with serving(options.folder, options.port) as server:
        print(f"{len(server.series)} series of {COLLECTION} at {server.url}")  # noqa: T201 - says where
        threading.Event().wait()


if __name__ == "__main__":
    main()
