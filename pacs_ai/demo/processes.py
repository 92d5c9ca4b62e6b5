"""The workspace of the demonstration: a node and an archive, each a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pacs_ai.demo.archive import AE_TITLE as ARCHIVE_TITLE
from pacs_ai.errors import PacsAIError, StorageError

NODE_TITLE = "AI_NODE"
HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0

_CONFIG = """\
# The node of `pacs-ai demo`; nothing here is meant for a department.
[node]
ae_title = "{node}"
host = "{host}"
port = {node_port}
[web]
port = 0
[storage]
database = "sqlite:///pacs-ai.db"
spool = "spool"
min_free_gb = 0.1
[study]
quiet_seconds = 2
release_seconds = {release}
[study.modality.CR]
release_seconds = {release}
[study.modality.DX]
release_seconds = {release}
[study.modality.MG]
release_seconds = {release}
[peers.archive]
ae_title = "{archive}"
host = "{host}"
port = {archive_port}
commitment = true
[[rules]]
name = "everything"
model = "demo"
send_to = ["archive"]
"""
_RELEASE_SECONDS = 0.3
_LISTENS = re.compile(r"listens as .* on \S+:(\d+)")
_PAGE = re.compile(r"^ +page +(http://\S+)$", re.MULTILINE)
_ANY_PORT = re.compile(r"^(\d+)$", re.MULTILINE)
_POLL_SECONDS = 0.05


@dataclass(slots=True)
class Process:
    """A process that the demonstration started; ``port`` is 0 until it listens."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    ready: re.Pattern[str]
    port: int = 0

    def wait(self) -> None:
        """Return when it listens.

        Raises
        ------
        PacsAIError
            If it ended instead, or took longer than `START_SECONDS`.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.popen.poll() is None and time.monotonic() < deadline:
            match = self.ready.search(self.log.read_text("utf-8", "replace"))
            if match is not None:
                self.port = int(match[1])
                return
            time.sleep(_POLL_SECONDS)
        lines = self.log.read_text("utf-8", "replace").splitlines() or ["it said nothing"]
        raise PacsAIError(f"the {self.name} did not start: {lines[-1]}")

    def page(self) -> str:
        """Return the address of the page that it serves; "" if it serves none."""
        match = _PAGE.search(self.log.read_text("utf-8", "replace"))
        return "" if match is None else match[1]

    def ask_to_end(self) -> None:
        """Send SIGTERM, if it still runs."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait for its end; insist after `STOP_SECONDS`."""
        if self.popen.poll() is None:
            try:
                self.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where things lie: configuration, what the archive keeps, and the logs of both."""

    folder: Path

    @property
    def config(self) -> Path:
        """The node's configuration file."""
        return self.folder / "pacs-ai.toml"

    @property
    def archive(self) -> Path:
        """What the archive has been sent."""
        return self.folder / "archive"

    def start_archive(self) -> Process:
        """Start the archive on a free port; `Process.wait` tells when it listens."""
        command = [sys.executable, "-m", "pacs_ai.demo.archive", str(self.archive)]
        return self._start("archive", command, _ANY_PORT)

    def start_node(self, archive_port: int) -> Process:
        """Start the node on a free port, as anybody would: ``pacs-ai listen --config ...``."""
        self.configure(0, archive_port)
        command = [sys.executable, "-m", "pacs_ai", "listen", "--config", str(self.config)]
        return self._start("node", command, _LISTENS)

    def start_viewer(self, files: Path, node: Process) -> Process:
        """Start OHIF on a free port beside a node that serves its page.

        Parameters
        ----------
        files
            Folder with OHIF's ``index.html``.
        """
        page = str(urlsplit(node.page()).port)
        command = [sys.executable, "-m", "pacs_ai.demo.viewer", str(files), page]
        return self._start("viewer", command, _ANY_PORT)

    def configure(self, node_port: int, archive_port: int) -> None:
        """Write the node's configuration."""
        try:
            self.config.write_text(self.configuration(node_port, archive_port), encoding="utf-8")
        except OSError as error:
            raise StorageError(f"{self.config}: {error.strerror}") from None

    def configuration(self, node_port: int, archive_port: int) -> str:
        """Return the node's configuration, as TOML."""
        return _CONFIG.format(
            node=NODE_TITLE,
            archive=ARCHIVE_TITLE,
            host=HOST,
            node_port=node_port,
            archive_port=archive_port,
            release=_RELEASE_SECONDS,
        )

    def _start(self, name: str, command: list[str], ready: re.Pattern[str]) -> Process:
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(  # noqa: S603 - our own modules
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,  # a file and no pipe: with `--keep` it outlives us
                stderr=output,
                cwd=self.folder,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us, who then ask it to end
            )
        return Process(name, popen, log, ready)


def _environment() -> dict[str, str]:
    """Leave out what would override the demonstration's own configuration."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PACS_AI_")}
