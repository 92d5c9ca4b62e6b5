"""What monitoring reads of the rows, on SQLite and PostgreSQL."""

from datetime import timedelta

import pytest

from pacs_ai.store import event_feed, observations, open_work
from pacs_ai.store.observations import count, last, stream_of, streams, unseen
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW, analysed_job


@pytest.fixture
def analysed(database: Database) -> tuple[Database, str]:
    with database.write("node", NOW) as transaction:
        job = analysed_job(transaction)
        observations.add(transaction, job, "CT", {"input.mean": 0.5})
    return database, job


def test_open_work_is_counted_by_state(analysed: tuple[Database, str]) -> None:
    database, _ = analysed
    with database.read() as session:
        assert open_work.open_studies(session) == []
        assert open_work.open_jobs(session) == []
        assert open_work.open_deliveries(session) == [
            open_work.Open("pacs", "PENDING", 1, NOW + timedelta(seconds=3))
        ]


def test_changes_are_read_after_a_position(analysed: tuple[Database, str]) -> None:
    database, job = analysed
    with database.read() as session:
        found = event_feed.changes(session, 0, (), 100)
        assert [one.id for one in found] == sorted(one.id for one in found)
        assert found[-1].id == event_feed.last_change(session)
        assert event_feed.changes(session, found[-2].id, (), 100) == found[-1:]
        some = event_feed.changes(session, found[-2].id, [found[0].id], 100)
        assert some == [found[0], found[-1]]
        names = event_feed.labels(session, found)
    assert names["job", job] == "demo"
    assert set(names.values()) == {"demo", "pacs"}


def test_observations_are_counted_once(analysed: tuple[Database, str]) -> None:
    database, _ = analysed
    with database.read() as session:
        [one] = unseen(session, 10)
        stream = stream_of(streams(session), one)
    stream.studies = 1
    with database.write("node", NOW) as transaction:
        count(transaction, stream, 0, [one])
    with database.read() as session:
        assert unseen(session, 10) == []
        [kept] = streams(session)
        assert last(session, kept, 5) == [{"input.mean": 0.5}]
