"""Two listeners, three workers, PostgreSQL, a balancer and two archives, each host on its own."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pydicom
import sqlalchemy as sa

from pacs_ai.errors import PacsAIError
from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import Archive, archive
from tests.cluster.lab import SERVERS, Lab, lab
from tests.conftest import require
from tests.node import wait_for
from tests.postgres import PostgresServer, running_server
from tests.samples import new_study

LISTENERS, WORKERS = ("listen1", "listen2"), ("work1", "work2", "work3")
DICOM, DATABASE, BALANCED = 11112, 5432, 104
ARCHIVES = {"first": 1104, "second": 1105}
START_SECONDS = 500
"""For all nodes to begin, on a machine that is busy with other tests as well."""

CONFIG = """
[node]
ae_title = "AI_NODE"
host = "0.0.0.0"
port = {port}
accept_from = ["*"]
balancers = ["{balancer}"]
[web]
enabled = false
[storage]
min_free_gb = 0
database = "{database}"
spool = "{spool}"
[study]
quiet_seconds = 5
release_seconds = 2
[engine]
kind = "procrastinate"
workers = 1
urgent_worker = false
lease_seconds = 8
{peers}
[[rules]]
name = "all"
model = "demo"
results = ["report"]
send_to = [{names}]
"""
PEER = """
[peers.{name}]
ae_title = "ARCHIVE"
host = "{host}"
port = {port}
retry_max_seconds = 2
timeout_seconds = 10
"""
HELD = """
SELECT (SELECT count(*) FROM study WHERE state = 'RECEIVING' AND node = :host)
+ (SELECT count(*) FROM job WHERE state = 'RUNNING' AND lease_owner LIKE :host || '/%')
+ (SELECT count(*) FROM delivery WHERE state = 'SENDING' AND lease_owner LIKE :host || '/%')
+ (SELECT count(*) FROM procrastinate_jobs
   WHERE status = 'doing' AND args->>'claim' LIKE :host || '/%')
"""
STATES = """
SELECT 'study', state, count(*) FROM study GROUP BY state
UNION SELECT 'job', state, count(*) FROM job GROUP BY state
UNION SELECT 'delivery', state, count(*) FROM delivery GROUP BY state
UNION SELECT name, boot, beats FROM node
"""
BALANCER = """
defaults
  mode tcp
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  option redispatch
  retries 3
listen dicom
  bind {servers}:{balanced}
  balance roundrobin
"""


@dataclass
class Cluster:
    """All that runs, and what was acknowledged."""

    lab: Lab
    postgres: PostgresServer
    archives: dict[str, Archive]
    folder: Path
    sent: dict[str, list[Path]] = field(default_factory=dict)
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.postgres.url, poolclass=sa.NullPool)

    def query(self, sql: str, **values: str) -> list[tuple[Any, ...]]:
        """Ask the database, which may be away for a moment."""
        with (
            self.lab.inside(),
            contextlib.suppress(sa.exc.OperationalError),
            self.engine.connect() as connection,
        ):
            return [tuple(row) for row in connection.execute(sa.text(sql), values)]
        return []

    def change(self, *statements: str, **values: object) -> None:
        """Change the database, each statement by itself: several locks may meet those of nodes."""
        for statement in statements:
            with self.lab.inside(), self.engine.begin() as connection:
                connection.execute(sa.text(statement), values)

    def send(self, count: int) -> None:
        """Send studies as modalities do: each again and again until all of it is acknowledged."""
        for _ in range(count):
            files = new_study(self.folder / "studies", 2)
            uid = str(pydicom.dcmread(files[0]).StudyInstanceUID)
            wait_for(partial(self._taken, files), self.state)
            self.sent[uid] = files

    def _taken(self, files: list[Path]) -> bool:
        address = PeerAddress("AI_NODE", SERVERS, BALANCED)
        try:
            with self.lab.inside():
                return [one.status for one in store(address, "MODALITY", files)] == [0] * len(files)
        except PacsAIError:
            return False

    def held_by(self, host: str) -> int:
        """How many studies, jobs, deliveries and tasks a host has in its hands."""
        found = self.query(HELD, host=host)
        return int(found[0][0]) if found else -1

    def wait_until_recovered(self, host: str) -> None:
        """Return when others have all that a host held, while it is still away."""
        wait_for(lambda: self.held_by(host) == 0, self.state)

    def state(self) -> str:
        """Say for a failure how far all has come."""
        logs = [f"== {name}\n{host.log[-2500:]}" for name, host in self.lab.hosts.items()]
        return "\n".join([str(sorted(self.query(STATES))), *logs])


@contextlib.contextmanager
def balancer(one: Lab) -> Iterator[None]:
    """Run haproxy in front of the listeners."""
    config = one.folder / "haproxy.cfg"
    lines = [
        f"  server {name} {one.hosts[name].address}:{DICOM} send-proxy-v2"
        " check check-send-proxy inter 500ms fall 2 rise 1"
        for name in LISTENERS
    ]
    config.write_text(BALANCER.format(servers=SERVERS, balanced=BALANCED) + "\n".join(lines) + "\n")
    command = [*one.before, str(require("haproxy")), "-db", "-f", str(config)]
    with (one.folder / "haproxy.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        running.terminate()
        running.wait()


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start all of it, and leave nothing of it."""
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(lab(folder))
        postgres = stack.enter_context(
            running_server(require, DATABASE, address=SERVERS, before=one.before)
        )
        archives = {}
        with one.inside():
            for name, port in ARCHIVES.items():
                archives[name] = stack.enter_context(archive(port, DICOM, host=SERVERS))
        peers = [PEER.format(name=n, host=SERVERS, port=port) for n, port in ARCHIVES.items()]
        (folder / "pacs-ai.toml").write_text(
            CONFIG.format(
                port=DICOM,
                balancer=SERVERS,
                database=postgres.url,
                spool=one.spool,
                peers="".join(peers),
                names=", ".join(f'"{name}"' for name in ARCHIVES),
            )
        )
        made = Cluster(one, postgres, archives, folder)
        for name in (*LISTENERS, *WORKERS):
            one.host(name)
        first = one.hosts[LISTENERS[0]]
        first.start("db", "upgrade", "--config", "pacs-ai.toml")
        assert first.process is not None
        assert first.process.wait() == 0, first.log
        for name in LISTENERS:
            one.hosts[name].start("listen", "--no-workers", "--config", "pacs-ai.toml")
        for name in WORKERS:
            one.hosts[name].start("work", "--config", "pacs-ai.toml")
        stack.enter_context(balancer(one))
        everybody = len(LISTENERS) + len(WORKERS)
        count = "SELECT count(*) FROM node"
        wait_for(lambda: made.query(count) == [(everybody,)], made.state, START_SECONDS)
        yield made
