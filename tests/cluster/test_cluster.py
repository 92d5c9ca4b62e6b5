"""Two listeners, three workers, a balancer, two archives: studies flow while hosts have troubles.

Nothing that was acknowledged is lost, each archive gets the report of each study, and what a host
held is taken over while it is still away.
"""

import contextlib
import hashlib
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from pacs_ai.errors import PacsAIError
from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import Archive, archive
from tests.cluster.lab import SERVERS, Lab, lab, why_not
from tests.conftest import missing, require
from tests.node import wait_for
from tests.postgres import PostgresServer, running_server
from tests.samples import new_study

pytestmark = [pytest.mark.e2e, pytest.mark.crash, pytest.mark.timeout(1200)]

LISTENERS, WORKERS = ("listen1", "listen2"), ("work1", "work2", "work3")
DICOM, DATABASE, BALANCED = 11112, 5432, 104
ARCHIVES = {"first": 1104, "second": 1105}
AT_ONCE = 3
"""Studies that are sent while a trouble lasts, and again after it."""

CONFIG = """
[node]
ae_title = "AI_NODE"
host = "0.0.0.0"
port = {port}
accept_from = ["*"]
[web]
enabled = false
[storage]
min_free_gb = 0
database = "{database}"
spool = "{spool}"
[study]
quiet_seconds = 3
release_seconds = 0.5
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

    def send(self, count: int) -> None:
        """Send studies as modalities do: each again and again until all of it is acknowledged."""
        for _ in range(count):
            files = new_study(self.folder / "studies", 2)
            uid = str(pydicom.dcmread(files[0]).StudyInstanceUID)
            wait_for(lambda files=files: self._taken(files), self.state)  # type: ignore[misc]
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


@dataclass(frozen=True)
class Trouble:
    """What happens to a host; ``recovers`` is whether others have to take over what it held."""

    name: str
    host: str
    begin: Callable[[Cluster], None]
    end: Callable[[Cluster], None]
    recovers: bool = True


def on(host: str, act: str) -> Callable[[Cluster], None]:
    return lambda cluster: getattr(cluster.lab.hosts[host], act)()


def restart_database(mode: str) -> Callable[[Cluster], None]:
    return lambda cluster: cluster.postgres.restart(mode)


def nothing(_cluster: Cluster) -> None:
    """Nothing has to be undone."""


TROUBLES = (
    Trouble("a worker dies", "work1", on("work1", "kill"), on("work1", "start")),
    Trouble("a worker is frozen", "work2", on("work2", "freeze"), on("work2", "thaw")),
    Trouble("a worker is cut off", "work3", on("work3", "cut_off"), on("work3", "reconnect")),
    Trouble("a listener is frozen", "listen2", on("listen2", "freeze"), on("listen2", "thaw")),
    Trouble("the database crashes", "", restart_database("immediate"), nothing, recovers=False),
)
MORE_TROUBLES = (
    Trouble("a listener dies", "listen1", on("listen1", "kill"), on("listen1", "start")),
    Trouble(
        "a listener is cut off", "listen1", on("listen1", "cut_off"), on("listen1", "reconnect")
    ),
    Trouble("a worker dies again", "work2", on("work2", "kill"), on("work2", "start")),
    Trouble(
        "a worker loses its spool",
        "work1",
        on("work1", "lose_spool"),
        on("work1", "find_spool"),
        recovers=False,
    ),
    Trouble(
        "a listener loses its spool",
        "listen2",
        on("listen2", "lose_spool"),
        on("listen2", "find_spool"),
    ),
    Trouble("the database is restarted", "", restart_database("fast"), nothing, recovers=False),
)


@contextlib.contextmanager
def balancer(one: Lab) -> Iterator[None]:
    """Run haproxy in front of the listeners."""
    config = one.folder / "haproxy.cfg"
    lines = [
        f"  server {name} {one.hosts[name].address}:{DICOM} check inter 500ms fall 2 rise 1"
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


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := why_not():
        missing(reason, everywhere=False)
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(lab(tmp_path))
        postgres = stack.enter_context(
            running_server(require, DATABASE, address=SERVERS, before=one.before)
        )
        archives = {}
        with one.inside():
            for name, port in ARCHIVES.items():
                archives[name] = stack.enter_context(archive(port, DICOM, host=SERVERS))
        peers = [PEER.format(name=n, host=SERVERS, port=port) for n, port in ARCHIVES.items()]
        (tmp_path / "pacs-ai.toml").write_text(
            CONFIG.format(
                port=DICOM,
                database=postgres.url,
                spool=one.spool,
                peers="".join(peers),
                names=", ".join(f'"{name}"' for name in ARCHIVES),
            )
        )
        made = Cluster(one, postgres, archives, tmp_path)
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
        wait_for(lambda: made.query("SELECT count(*) FROM node") == [(everybody,)], made.state)
        yield made


def go_through(cluster: Cluster, troubles: tuple[Trouble, ...]) -> None:
    for trouble in troubles:
        cluster.send(AT_ONCE)
        trouble.begin(cluster)
        sender = threading.Thread(target=cluster.send, args=(AT_ONCE,))
        sender.start()
        if trouble.recovers:
            cluster.wait_until_recovered(trouble.host)
        sender.join()
        trouble.end(cluster)
    cluster.send(1)


def check_nothing_is_lost(cluster: Cluster, studies: int) -> None:
    """Compare what was acknowledged with rows, files and archives."""
    assert len(cluster.sent) == studies
    deliveries = "SELECT count(*), count(*) FILTER (WHERE state = 'STORED') FROM delivery"
    closed = "SELECT count(*) FILTER (WHERE state = 'ROUTED') FROM study"
    finished = "SELECT count(*) FILTER (WHERE state NOT IN ('SUCCEEDED', 'CANCELLED')) FROM job"

    def over() -> bool:
        ((all_of_them, stored),) = cluster.query(deliveries) or [(0, 1)]
        return (
            cluster.query(closed) == [(studies,)]
            and cluster.query(finished) == [(0,)]
            and all_of_them == stored
        )

    wait_for(over, cluster.state)
    query = cluster.query("SELECT sop_instance_uid, path FROM instance")
    rows = {str(uid): str(path) for uid, path in query}
    for files in cluster.sent.values():
        for file in files:
            sent = pydicom.dcmread(file)
            kept = pydicom.dcmread(cluster.lab.spool / rows[str(sent.SOPInstanceUID)])
            assert digest(kept) == digest(sent)
    made = defaultdict(list)
    for study, revision, uid in cluster.query(
        "SELECT study_instance_uid, job.revision, sop_instance_uid FROM result "
        "JOIN job ON job.id = result.job_id JOIN study ON study.id = job.study_id "
        "WHERE result.kind = 'report' ORDER BY job.revision"
    ):
        made[study].append((revision, uid))
    assert made.keys() == cluster.sent.keys()
    for name, one in cluster.archives.items():
        arrived = defaultdict(set)
        for dataset in one.stored:
            arrived[str(dataset.StudyInstanceUID)].add(str(dataset.SOPInstanceUID))
        for study, reports in made.items():
            newest = [uid for revision, uid in reports if revision == reports[-1][0]]
            assert len(newest) == 1, (name, study, "two current reports")
            assert arrived[study] == {uid for _, uid in reports}, (name, study)
    assert cluster.query("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'") == [
        (0,)
    ]


def digest(dataset: pydicom.Dataset) -> str:
    return hashlib.sha256(dataset.PixelData).hexdigest()


@pytest.mark.slow
def test_studies_flow_while_hosts_have_troubles(cluster: Cluster) -> None:
    go_through(cluster, TROUBLES)
    check_nothing_is_lost(cluster, 2 * AT_ONCE * len(TROUBLES) + 1)


@pytest.mark.thorough
def test_studies_flow_while_hosts_have_other_troubles(cluster: Cluster) -> None:
    go_through(cluster, MORE_TROUBLES)
    check_nothing_is_lost(cluster, 2 * AT_ONCE * len(MORE_TROUBLES) + 1)
