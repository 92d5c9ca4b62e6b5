"""One address for OHIF and its archive, as deploy/nginx gives it: files, and DICOMweb passed on."""

import http.client
import mimetypes
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_PASSED_ON = ("/dicom-web/", "/wado")
_ASKED = ("Accept",)  # no compression: the answer is passed on as it is
_SECONDS = 60


class Site:
    """Serves the viewer; a context manager.

    Parameters
    ----------
    viewer
        Folder with OHIF's ``index.html``.
    settings
        The ``app-config.js`` that takes the place of OHIF's own.
    archive_port
        Where Orthanc answers on loopback.
    """

    def __init__(self, viewer: Path, settings: Path, archive_port: int) -> None:
        class Handler(_Handler):
            pass

        Handler.viewer, Handler.settings, Handler.archive_port = viewer, settings, archive_port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    viewer: Path
    settings: Path
    archive_port: int

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith(_PASSED_ON):
            self._pass_on()
            return
        file = self.settings if path == "/app-config.js" else self.viewer / path.lstrip("/")
        if not file.is_file():
            if file.suffix:
                self.send_error(404)
                return
            file = self.viewer / "index.html"  # a route of the viewer's own, /viewer?...
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self._answer(200, kind, file.read_bytes())

    def _pass_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.archive_port, timeout=_SECONDS)
        try:
            headers = {name: self.headers[name] for name in _ASKED if name in self.headers}
            # From this header the archive takes the address that it writes into links.
            headers["Forwarded"] = f"for=127.0.0.1;host={self.headers['Host']};proto=http"
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            kind = answer.getheader("Content-Type") or "application/octet-stream"
            self._answer(answer.status, kind, answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
