"""A rolling upgrade: two versions side by side on one database, and no study is stranded.

One pair is this version and the next one, whose schema has one step more: so this version must be
able to go on beside another. The other pair is the last version with an earlier schema, from the
history of this repository, and this one.
"""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pydicom
import pytest

from pacs_ai.node.wiring import node_name
from pacs_ai.store.version import SCHEMA_STEP
from tests.archive import Archive, to_archive
from tests.conftest import missing
from tests.databases import emptied
from tests.node import PATIENCE, Node, node
from tests.samples import new_study
from tests.versions import NEXT_STEP, NEXT_VERSION, earlier_version, name_host, next_version

pytestmark = pytest.mark.e2e

EXTRA = """kind = "procrastinate"
workers = 1
urgent_worker = false
[web]
enabled = false
"""
STORAGE = 'min_free_gb = 0\ndatabase = "{database}"\nspool = "{spool}"'
WORKER = "pacs_ai.node.worker"
OPEN = """
SELECT (SELECT count(*) FROM study WHERE state <> 'ROUTED')
+ (SELECT count(*) FROM job WHERE state NOT IN ('SUCCEEDED', 'CANCELLED'))
+ (SELECT count(*) FROM delivery WHERE state <> 'STORED')
+ (SELECT count(*) FROM procrastinate_jobs)
"""
CURRENT = """
SELECT study_instance_uid, sop_instance_uid FROM result
JOIN job ON job.id = result.job_id JOIN study ON study.id = job.study_id
WHERE kind = 'report' AND job.state = 'SUCCEEDED' AND job.revision =
  (SELECT max(last.revision) FROM job last WHERE last.study_id = study.id)
"""


class Site:
    """Nodes of one database and one spool, and the studies that they have acknowledged."""

    def __init__(
        self, folder: Path, database: str, free_port: Callable[[], int], peer: Archive
    ) -> None:
        self.folder = folder
        self.peer = peer
        self.sent: set[str] = set()
        self._extra = EXTRA + to_archive(
            peer.port, peer="retry_max_seconds = 2", rule='results = ["report"]'
        )
        self._storage = STORAGE.format(database=database, spool=folder / "spool")
        self._free_port = free_port

    def node(self, stack: ExitStack, name: str, package: Path | None) -> Node:
        """Configure a node of this version, or of the one that is imported from a folder."""
        path = {} if package is None else {"PYTHONPATH": str(package)}
        if package is not None:
            name_host(package, name)
        return stack.enter_context(
            node(
                self.folder / name,
                self._free_port(),
                extra=self._extra,
                storage=self._storage,
                quiet=1,
                new_children=True,
                **path,
            )
        )

    def send(self, *nodes: Node) -> None:
        """Send a study with an image for each node."""
        files = new_study(self.folder / "studies", len(nodes))
        for one, file in zip(nodes, files, strict=True):
            assert one.send(file) == [0]
        self.sent.add(str(pydicom.dcmread(files[0]).StudyInstanceUID))

    def all_done(self, one: Node) -> bool:
        """Whether each study is routed, each job done, each result delivered, and no task left."""
        count = one.query("SELECT count(*) FROM study WHERE state = 'ROUTED'")
        return count == [(len(self.sent),)] and one.query(OPEN) == [(0,)]

    def check(self, one: Node) -> None:
        """Check that the archive has the one current report of each study."""
        current = one.query(CURRENT)
        assert Counter(study for study, _ in current) == Counter(self.sent)
        assert {uid for _, uid in current} <= set(self.peer.uids())


def run(one: Node, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the version of a node."""
    if not one.environment:
        return one.command(*words)
    return subprocess.run(
        [sys.executable, "-m", "pacs_ai", *words, "--config", str(one.config)],
        capture_output=True,
        text=True,
        check=False,
        cwd=one.folder,
        env={**os.environ, **one.environment},
        timeout=PATIENCE,
    )


def upgrade_schema(one: Node, step: str) -> None:
    done = run(one, "db", "upgrade")
    assert (done.returncode, f"schema {step}" in done.stdout) == (0, True), done


def roll(site: Site, old: Node, new: Node) -> None:
    """Go from one version to the other while studies arrive, the last ones just before the end."""
    site.send(old)
    new.start()
    site.send(old)
    site.send(new)
    site.send(old, new)
    site.send(old)
    assert old.stop() == 0
    site.send(new)
    new.wait_for(lambda: site.all_done(new))
    site.check(new)


@pytest.fixture
def site(tmp_path: Path, postgres: str, free_port: Callable[[], int], peer: Archive) -> Site:
    emptied(postgres).close()
    return Site(tmp_path, postgres, free_port, peer)


def refused(old: Node, *words: str) -> bool:
    """Whether a command of a version tells that the schema is too new for it."""
    done = run(old, *words)
    return done.returncode == 2 and "newer pacs-ai" in done.stderr


@pytest.mark.slow
def test_this_version_works_beside_the_next_one(site: Site) -> None:
    with ExitStack() as stack:
        old = site.node(stack, node_name(), None)
        new = site.node(stack, "next", next_version(site.folder / "versions"))
        upgrade_schema(old, SCHEMA_STEP)
        old.start()
        site.send(old)
        upgrade_schema(new, NEXT_STEP)
        (worker,) = old.children(WORKER)
        os.kill(worker, signal.SIGKILL)
        old.wait_for(lambda: worker not in old.children(WORKER) != [])
        site.send(old)
        old.wait_for(lambda: site.all_done(old))
        roll(site, old, new)
        assert f"of version {NEXT_VERSION} (schema {NEXT_STEP})" in new.log
        assert refused(old, "listen")
        assert refused(old, "jobs", "list")
        assert new.query("SELECT name, version FROM node") == [("next", NEXT_VERSION)]


@pytest.mark.thorough
def test_this_version_works_beside_the_one_before(site: Site) -> None:
    package = earlier_version(site.folder / "versions")
    if package is None:
        missing("no history of this repository with an earlier schema", everywhere=False)
    with ExitStack() as stack:
        old = site.node(stack, "earlier", package)
        new = site.node(stack, node_name(), None)
        assert run(old, "db", "upgrade").returncode == 0
        old.start()
        site.send(old)
        upgrade_schema(new, SCHEMA_STEP)
        roll(site, old, new)
        assert refused(old, "listen")
