"""Debian's Orthanc with the configuration of deploy/orthanc, on ports and folders of the test's."""

import http.client
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.node import wait_for

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "orthanc"
CALL_SECONDS = 60


@dataclass
class OrthancServer:
    """A throw-away archive that routes to ``AI_NODE``; a context manager.

    Parameters
    ----------
    binary
        The program, from ``tool("Orthanc")``.
    folder
        Empty folder for its configuration, log and data.
    http_port, dicom_port
        Where it listens.
    node_port
        Where the node listens on loopback.
    stable_age
        Seconds without a new instance until a study is routed.
    route
        False leaves the routing script out.
    site
        Further keys of its site.json.
    """

    binary: Path
    folder: Path
    http_port: int
    dicom_port: int
    node_port: int
    stable_age: int = 1
    route: bool = True
    site: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "orthanc.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, or start it again on the same data; returns when it answers."""
        config = self._configure()
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, config],
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TCP_NODELAY": "1"},
            )
        try:
            wait_for(lambda: self.answers() or self.ended(), lambda: self.log[-2000:])
            assert not self.ended(), self.log[-2000:]
        except AssertionError:
            self.stop()
            raise

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def answers(self) -> bool:
        try:
            self.get("/system")
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(CALL_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """One REST call; the answer's JSON, or its bytes if it is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=CALL_SECONDS)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise LookupError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return (
            json.loads(content) if "json" in (answer.getheader("Content-Type") or "") else content
        )

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def upload(self, path: Path) -> str:
        """Put a DICOM file in over REST; gives Orthanc's id of the instance."""
        answer: str = self.call("POST", "/instances", path.read_bytes())["ID"]
        return answer

    def find(self, level: str, **query: str) -> list[dict[str, Any]]:
        """Patients, studies, series or instances that match DICOM keywords."""
        body = {"Level": level, "Query": query, "Expand": True}
        found: list[dict[str, Any]] = self.call("POST", "/tools/find", json.dumps(body).encode())
        return found

    def _configure(self) -> Path:
        config = self.folder / "config"
        config.mkdir(parents=True, exist_ok=True)
        for name in ("orthanc.json", "autoroute.lua"):
            shutil.copy(DEPLOY / name, config)
        if not self.route:
            (config / "autoroute.lua").write_text("")
        data = str(self.folder / "data")
        site = {
            "StorageDirectory": data,
            "IndexDirectory": data,
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": self.stable_age,
            "DicomAlwaysAllowStore": True,
            "DicomModalities": {
                "AI_NODE": {"AET": "AI_NODE", "Host": "127.0.0.1", "Port": self.node_port}
            },
        }
        (config / "site.json").write_text(json.dumps({**site, **self.site}))
        return config
