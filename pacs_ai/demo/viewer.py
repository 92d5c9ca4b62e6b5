"""OHIF beside a node: its files, and the node's DICOMweb under the same address.

``python -m pacs_ai.demo.viewer FOLDER PORT`` serves OHIF's built files from a folder on a free port
of this machine, writes the port in a line on standard output, and runs until SIGTERM. PORT is where
the node serves HTTP. The published build of OHIF has to lie at the root of its address, where the
node has its page, so it has an address of its own, and passes on what it asks of DICOMweb: browsers
see one origin.
"""

import argparse
import http.client
import json
import mimetypes
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pacs_ai.demo.npm_package import Package

OHIF = Package(
    "@ohif/app",
    "3.13.2",
    "sha512-WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==",
)
"""As npm has it: the built viewer, MIT."""

HOST = "127.0.0.1"
ROOT = "/dicom-web"
_SETTINGS = "/app-config.js"
_ASKED = ("Accept", "Host")
"""Headers that are passed on; the node makes its links from the second one."""
_SECONDS = 60
_PIECE = 1 << 16
_NO_CONTENT = 204

_HEADERS = {
    # the first two let OHIF share memory with its workers
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The policy lets the browser ask nobody else, whatever the viewer would like to have."""

_SOURCE = {
    "friendlyName": "pacs-ai",
    "name": "pacs-ai",
    "qidoRoot": ROOT,
    "wadoRoot": ROOT,
    "wadoUriRoot": ROOT,
    "imageRendering": "wadors",
    "thumbnailRendering": "wadors",
    "qidoSupportsIncludeField": True,
    "supportsFuzzyMatching": False,
    "supportsWildcard": True,
    "enableStudyLazyLoad": True,
    "dicomUploadEnabled": False,
    "omitQuotationForMultipartRequest": True,
    "bulkDataURI": {"enabled": True},
}


def settings() -> bytes:
    """Return the ``app-config.js`` in place of OHIF's own, which asks a public server."""
    config = {
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "showLoadingIndicator": True,
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "strictZSpacingForVolumeViewport": True,
        "maxNumberOfWebWorkers": 3,
        # the results are for research: the viewer says so to everyone who opens it
        "investigationalUseDialog": {"option": "configure", "days": 30},
        "defaultDataSourceName": "pacs-ai",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "pacs-ai",
                "configuration": _SOURCE,
            }
        ],
    }
    return f"window.config = {json.dumps(config)};\n".encode()


class ViewerRequest(BaseHTTPRequestHandler):
    """Answers one browser: a file of OHIF, or what the node says.

    Parameters
    ----------
    files
        Folder with OHIF's ``index.html``.
    config
        The ``app-config.js``.
    node
        Where DICOMweb is served on this machine.
    """

    protocol_version = "HTTP/1.1"
    passed_on: tuple[str, ...] = (f"{ROOT}/",)

    def __init__(self, *given: object, files: Path, config: bytes, node: int) -> None:
        self._files, self._config, self._node = files.resolve(), config, node
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer."""
        path = unquote(urlsplit(self.path).path)
        if path.startswith(self.passed_on):
            self._pass_on()
        elif path == _SETTINGS:
            self._begin(200, "text/javascript", len(self._config))
            self.wfile.write(self._config)
        else:
            self._send_file(path)

    def _send_file(self, path: str) -> None:
        file = (self._files / path.lstrip("/")).resolve()
        if not file.is_relative_to(self._files) or not file.is_file():
            if file.suffix:
                self.send_error(404)
                return
            file = self._files / "index.html"  # a route of the viewer's own, /viewer?...
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._begin(200, kind, file.stat().st_size)
        with file.open("rb") as content:
            shutil.copyfileobj(content, self.wfile)

    def more_headers(self) -> Mapping[str, str]:
        """Return further headers of what is passed on."""
        return {}

    def _pass_on(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._node, timeout=_SECONDS)
        try:
            asked = {name: self.headers[name] for name in _ASKED if name in self.headers}
            connection.request("GET", self.path, headers=asked | dict(self.more_headers()))
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException):
            self.send_error(502, "the node does not answer")
        else:
            self._copy(answer)
        finally:
            connection.close()

    def _copy(self, answer: http.client.HTTPResponse) -> None:
        """Hand on an answer as it comes; if it is cut off, so is ours."""

        def send(piece: bytes) -> None:
            self.wfile.write(piece if length else b"%x\r\n%b\r\n" % (len(piece), piece))

        kind = answer.getheader("Content-Type") or "application/octet-stream"
        length = answer.length  # 0 of an answer that has no body
        self._begin(answer.status, kind, length)
        try:
            while piece := answer.read(_PIECE):
                send(piece)
            if length is None:
                send(b"")
        except (OSError, http.client.HTTPException):
            self.close_connection = True

    def _begin(self, status: int, kind: str, length: int | None) -> None:
        """Send the headers; without a length the body is sent in chunks (RFC 9112 Section 7.1)."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != _NO_CONTENT:
            self.send_header("Content-Length", str(length))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: requests have UIDs."""


def make_server(
    files: Path, config: bytes, node: int, request: type[ViewerRequest] = ViewerRequest
) -> ThreadingHTTPServer:
    """Make a server on a free port of this machine; parameters as `ViewerRequest`."""
    server = ThreadingHTTPServer((HOST, 0), partial(request, files=files, config=config, node=node))
    server.daemon_threads = True
    return server


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m pacs_ai.demo.viewer")
    parser.add_argument("folder", type=Path)
    parser.add_argument("node", type=int, metavar="PORT")
    options = parser.parse_args(arguments)
    server = make_server(options.folder, settings(), options.node)
    for number in (signal.SIGTERM, signal.SIGINT):
        # from another thread: it waits for the end of the loop
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
