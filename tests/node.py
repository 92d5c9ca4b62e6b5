"""A real node as a subprocess, for tests that look at it from outside."""

import contextlib
import functools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from pacs_ai.net.scu.client import PeerAddress, store
from tests import forked_children, preloaded

PATIENCE = 150.0
"""Seconds to wait for what takes a few on a quiet machine."""

STATES = {
    "study": "SELECT state FROM study",
    "job": "SELECT state FROM job",
    "delivery": "SELECT state FROM delivery",
}

CONFIG = """
[node]
ae_title = "AI_NODE"
port = {port}
{head}
[storage]
{storage}
[study]
quiet_seconds = {quiet}
release_seconds = 0.2
[study.modality.CR]
release_seconds = 0.2
[study.modality.DX]
release_seconds = 0.2
[engine]
lease_seconds = 5
{extra}
"""


@dataclass
class Node:
    """One `pacs-ai listen`, its files in one folder; it can be killed and started again."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | preloaded.Forked | None = None
    before: tuple[str, ...] = ()
    """What to run it under."""
    new_children: bool = False
    """Whether its children are new interpreters, as a user's are."""

    @property
    def config(self) -> Path:
        return self.folder / "pacs-ai.toml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it and return when it answers."""
        words = ["listen", "--config", str(self.config)]
        environment = {**os.environ, **self.environment}
        with (self.folder / "log").open("ab") as log:
            if not self.before and preloaded.can_fork(environment):
                number = log.fileno()
                self.process = preloaded.fork(
                    words,
                    self.folder,
                    environment,
                    number,
                    number,
                    children=not self.new_children,
                )
            else:
                self.process = subprocess.Popen(
                    [*self.before, sys.executable, "-m", "pacs_ai", *words],
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env=environment,
                )
        self.wait_for(lambda: self.answers() or self.ended())
        assert not self.ended(), self.log

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def answers(self) -> bool:
        """Whether somebody listens on its port."""
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> int:
        """End it the polite way; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End it the hard way."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Return as soon as something holds; fail with the node's log if it never does."""
        wait_for(condition, lambda: self.log)

    def send(self, *paths: Path, called: str = "AI_NODE") -> list[int | None]:
        """Send instances to it in one association, and return the statuses."""
        address = PeerAddress(called, "127.0.0.1", self.port)
        return [outcome.status for outcome in store(address, "MODALITY", paths)]

    def children(self, module: str) -> list[int]:
        """Return the processes that it has started to run a module."""
        assert self.process is not None
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [child for thread in threads for child in thread.read_text().split()]
        return [int(child) for child in children if runs(module, child)]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a pacs-ai command against this node's configuration."""
        words = [*arguments, "--config", str(self.config)]
        return preloaded.run(words, self.folder, PATIENCE)

    def listing(self, what: str) -> list[dict[str, object]]:
        """Return `pacs-ai WHAT list --json`."""
        done = self.command(what, "list", "--json", "--limit", "1000")
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, object]] = json.loads(done.stdout)
        return rows

    def states(self, table: str) -> list[str]:
        """Return the states in a table (study, job, delivery), read past the node."""
        return sorted(str(row[0]) for row in self.query(STATES[table]))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Read the node's database without the node."""
        url = tomllib.loads(self.config.read_text("utf-8"))["storage"].get("database", "")
        if url.startswith("postgresql"):
            with _engine(url).connect() as connected:
                return [tuple(row) for row in connected.execute(sa.text(sql))]
        database = f"file:{self.folder}/var/pacs-ai.db?mode=ro"
        with contextlib.closing(sqlite3.connect(database, uri=True)) as connection:
            return list(connection.execute(sql))


@functools.cache
def _engine(url: str) -> sa.Engine:
    """Give the engine of a database, which takes longer to make than a question to answer."""
    return sa.create_engine(url, poolclass=sa.NullPool)


def command_of(pid: int | str) -> bytes:
    """Return how a process was started; nothing if there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def runs(module: str, pid: int | str) -> bool:
    """Whether a process was started, or forked, for a module."""
    try:
        forked = Path(f"/proc/{pid}/comm").read_text().rstrip() == forked_children.short(module)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return forked or module.encode() in command_of(pid)


@contextlib.contextmanager
def node(
    folder: Path,
    port: int,
    *,
    extra: str = "",
    head: str = "",
    storage: str = "min_free_gb = 0",
    quiet: float = 2,
    new_children: bool = False,
    **environment: str,
) -> Iterator[Node]:
    """Configure a node, and see to it that nothing of it is left running."""
    one = Node(folder, port, environment, new_children=new_children)
    folder.mkdir(exist_ok=True)
    one.config.write_text(
        CONFIG.format(port=port, extra=extra, head=head, storage=storage, quiet=quiet), "utf-8"
    )
    try:
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.kill()


def wait_for(
    condition: Callable[[], object], what: Callable[[], str] = str, seconds: float = PATIENCE
) -> None:
    """Return as soon as something holds; fail, saying what is the case instead."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s: {what()}"
        time.sleep(0.1)
