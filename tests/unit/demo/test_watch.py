"""The progress lines: each step once, in order."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_ai.demo import watch
from pacs_ai.demo.studies import DemoStudy
from pacs_ai.demo.watch import follow, milestones
from pacs_ai.store import commitments, deliveries, jobs, overview, studies
from pacs_ai.store.prepare import prepare
from pacs_ai.store.schema import Delivery, Study
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW, add_instance, arrival, made, routed_job, sender

CT = DemoStudy("ct", "CT", "1.2.3", "CT", (), {})


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    one = Database(f"sqlite:///{tmp_path}/db")
    prepare(one)
    yield one
    one.close()


def steps(database: Database) -> list[str]:
    with database.read() as session:
        return milestones(overview.study(session, "1.2.3"))


def test_steps_are_only_ever_added(database: Database) -> None:
    told = [steps(database)]
    with database.write("test", NOW) as transaction:
        _, job = routed_job(transaction)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
    told.append(steps(database))
    with database.write("test", NOW) as transaction:
        jobs.succeed(transaction, lease, [made()], "Lesion 0.9")
    told.append(steps(database))
    with database.write("test", NOW) as transaction:
        (claimed,) = deliveries.claim(transaction, job, "pacs", lease_seconds=9)
        deliveries.stored(transaction, claimed, status=0, note="")
    told.append(steps(database))
    with database.write("test", NOW) as transaction:
        row = transaction.get_one(Delivery, claimed.delivery_id)
        commitments.ask(transaction, row, "2.25.9")
        transaction.refresh(row)
        commitments.confirmed(transaction, row)
    told.append(steps(database))
    assert told[-1] == [
        "received, 1 instance",
        "complete",
        "routed to demo",
        "analysed: Lesion 0.9",
        "delivered, 1 of 1 results",
        "committed: the archive keeps them",
    ]
    for earlier, later in itertools.pairwise(told):
        assert later[: len(earlier)] == earlier


def test_a_rejected_study_comes_to_its_end(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        _, job = routed_job(transaction)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        transaction.now = NOW + timedelta(seconds=1)
        jobs.reject(transaction, lease, "NO_FITTING_SERIES", "none")
    said: list[str] = []
    assert follow(database, [CT], said.append) == {"1.2.3": None}
    assert said[-1] == "ct: REJECTED: NO_FITTING_SERIES: none"


def test_a_study_that_no_rule_wants_comes_to_its_end(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        study = add_instance(transaction, arrival(), sender())
        assert studies.close(transaction, study.id, 1, reason="quiet")
        assert studies.routed(transaction, study.id, 1, reason="no rule matches")
    said: list[str] = []
    follow(database, [CT], said.append)
    assert said[-1] == "ct: routed nowhere: no rule matches"


def test_two_patients_under_one_study_are_held(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(1), sender("p1"))
        add_instance(transaction, arrival(2), sender("p2"))
        assert transaction.get_one(Study, 1).state == "CONFLICT"
    said: list[str] = []
    follow(database, [CT], said.append)
    assert "two patients" in said[-1]


def test_patience_has_an_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.3)
    said: list[str] = []
    assert follow(database, [CT], said.append) == {"1.2.3": None}
    assert said == ["ct: no news for 0.3 s, given up"]
