"""A configured node with rows in its database, and the command line run on it in this process."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_ai.cli import run
from pacs_ai.domain import JobId
from pacs_ai.store import deliveries
from pacs_ai.store.schema import Study
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool
from tests.databases import new_database
from tests.unit.store import samples
from tests.unit.store.samples import NOW

CONFIG = """
[node]
ae_title = "AI_NODE"
[storage]
min_free_gb = 0
[peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = 1
[[rules]]
name = "everything"
model = "demo"
send_to = ["pacs"]
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str


@dataclass
class Installation:
    """A folder with `pacs-ai.toml` and a database; ``pacs_ai("studies", "list")`` runs there."""

    folder: Path
    database: Database
    pacs_ai: Callable[..., Answer]

    def study_with_result(self, *, deliver: bool = True) -> JobId:
        """A study as it is when all has gone well: analysed, delivered in 4.5 s."""
        with self.database.write("test", NOW) as transaction:
            job_id = samples.analysed_job(transaction)
            if deliver:
                transaction.now = NOW + timedelta(seconds=3)
                (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
                transaction.now = NOW + timedelta(seconds=4.5)
                assert deliveries.stored(transaction, claimed, status=0, note="")
        return job_id

    def failed_delivery(self) -> int:
        job_id = self.study_with_result(deliver=False)
        with self.database.write("test", NOW) as transaction:
            return samples.failed_delivery(transaction, job_id)

    def rejected_job(self) -> JobId:
        with self.database.write("test", NOW) as transaction:
            return samples.rejected_job(transaction)

    def study(self, number: int = 1) -> Study:
        with self.database.read() as session:
            return session.get_one(Study, number)


@pytest.fixture
def pacs_ai(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Run the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.delenv("COLUMNS", raising=False)

    def call(*words: object) -> Answer:
        capsys.readouterr()
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def node(tmp_path: Path, pacs_ai: Callable[..., Answer]) -> Iterator[Installation]:
    (tmp_path / "pacs-ai.toml").write_text(CONFIG)
    (tmp_path / "var").mkdir()
    database = new_database(tmp_path / "var")
    Spool(tmp_path / "var" / "spool", "").secret()
    yield Installation(tmp_path, database, pacs_ai)
    database.close()
