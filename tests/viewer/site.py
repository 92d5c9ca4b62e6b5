"""One address for OHIF and its archive, as deploy/nginx gives it: files, and DICOMweb passed on."""

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pacs_ai.demo.viewer import ViewerRequest, make_server


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
        self._server = make_server(viewer, settings.read_bytes(), archive_port, _Request)
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


class _Request(ViewerRequest):
    passed_on = ("/dicom-web/", "/wado")

    def more_headers(self) -> Mapping[str, str]:
        """From this header the archive takes the address that it writes into links."""
        return {"Forwarded": f"for=127.0.0.1;host={self.headers['Host']};proto=http"}
