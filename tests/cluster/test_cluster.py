"""Two listeners, three workers, a balancer, two archives: studies flow while hosts have troubles.

Nothing that was acknowledged is lost, each archive gets the report of each study, and what a host
held is taken over while it is still away.
"""

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest

from pacs_ai.store.version import SCHEMA_STEP
from tests.cluster.cluster import Cluster, running_cluster
from tests.cluster.lab import why_not
from tests.conftest import missing
from tests.node import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.crash, pytest.mark.timeout(1200)]

AT_ONCE = 3
"""Studies that are sent before a trouble begins, and again while it lasts."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    if reason := why_not():
        missing(reason, everywhere=False)
    with running_cluster(tmp_path) as one:
        yield one


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


def newer_schema(cluster: Cluster) -> None:
    """Upgrade the schema as the first step of a rolling upgrade does: only additions."""
    cluster.change(
        *(
            f"ALTER TABLE {table} ADD COLUMN newer integer DEFAULT 0 NOT NULL"
            for table in ("study", "instance", "job", "result", "delivery", "node")
        ),
        "CREATE TABLE newer (study_id integer PRIMARY KEY)",
        "UPDATE alembic_version SET version_num = '9999'",
    )


def older_node_is_refused(cluster: Cluster) -> None:
    """Start a node of the version before: it ends; then let the others start again."""
    host = cluster.lab.hosts["work1"]
    host.kill()
    host.start()
    assert host.process is not None
    assert host.process.wait() == 2, host.log
    assert "schema 9999, this version's is" in host.log
    cluster.change("UPDATE alembic_version SET version_num = :known", known=SCHEMA_STEP)
    host.start()


TROUBLES = (
    Trouble("a worker dies", "work1", on("work1", "kill"), on("work1", "start")),
    Trouble("a worker is frozen", "work2", on("work2", "freeze"), on("work2", "thaw")),
    Trouble("a listener is frozen", "listen2", on("listen2", "freeze"), on("listen2", "thaw")),
    Trouble("the schema is newer", "", newer_schema, older_node_is_refused, recovers=False),
    Trouble("the database crashes", "", restart_database("immediate"), nothing, recovers=False),
)
MORE_TROUBLES = (
    Trouble("a worker is cut off", "work3", on("work3", "cut_off"), on("work3", "reconnect")),
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
