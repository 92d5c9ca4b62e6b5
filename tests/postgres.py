"""A private PostgreSQL server for the tests: own folder, own port, gone afterwards."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

USER = "postgres"


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs; ``command`` is ``pg_ctl`` for its data, and what that runs under."""

    url: str
    command: Sequence[str]
    folder: Path

    def control(self, *arguments: str) -> None:
        """Run ``pg_ctl``."""
        subprocess.run(
            [*self.command, *arguments], check=True, capture_output=True, cwd=self.folder
        )

    def restart(self, mode: str = "fast") -> None:
        """Stop and start it; with ``immediate`` as after a crash."""
        self.control("-m", mode, "-w", "restart")


@contextlib.contextmanager
def running_server(
    tool: Callable[[str], Path],
    port: int,
    *,
    address: str = "127.0.0.1",
    before: Sequence[str] = (),
    fsync: str = "off",
) -> Iterator[PostgresServer]:
    """Run a fresh server that listens on one address, for all who reach it.

    ``before`` is what its programs are run under.
    """
    folder = Path(tempfile.mkdtemp(prefix="pacs-ai-pg-"))
    prefix = [*before]
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, USER)
        prefix += ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    data = folder / "data"
    new = [str(tool("initdb")), "-D", str(data), "-U", USER, "-A", "trust", "--no-sync"]
    subprocess.run([*prefix, *new], check=True, capture_output=True, cwd=folder)
    with (data / "pg_hba.conf").open("a") as allowed:
        allowed.write("host all all samenet trust\n")
    options = (
        f"-p {port} -c listen_addresses={address} -c unix_socket_directories={folder}"
        f" -c fsync={fsync}"
    )
    command = [*prefix, str(tool("pg_ctl")), "-D", str(data), "-o", options, "-l"]
    url = f"postgresql+psycopg://{USER}@{address}:{port}/postgres"
    server = PostgresServer(url, [*command, str(folder / "log")], folder)
    server.control("-w", "start")
    try:
        yield server
    finally:
        server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running_postgres(tool: Callable[[str], Path], port: int) -> Iterator[str]:
    """Yield the URL of a fresh server; it listens on loopback only."""
    with running_server(tool, port) as server:
        yield server.url
