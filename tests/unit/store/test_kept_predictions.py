"""Rows of predictions that are kept to be compared, on both databases."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from pacs_ai.domain import DeliveryState, JobId, StudyId
from pacs_ai.store import kept_predictions
from pacs_ai.store.kept_predictions import (
    MOST_ATTEMPTS,
    KeptPrediction,
    KeptState,
    Maker,
    Origin,
)
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW, analysed_job

OTHER = Maker("demo", "2.0", "d" * 64)
SAID = {"images": 1, "classes": {"finding": [0.5, "absent"]}}


@pytest.fixture
def job(database: Database) -> JobId:
    """A live job beside which another version is to analyse."""
    with database.write("test", NOW) as transaction:
        key = analysed_job(transaction)
        kept_predictions.plan(transaction, transaction.get_one(Job, key), SAID, [OTHER])
    return key


def rows(database: Database) -> dict[str, KeptPrediction]:
    with database.read() as session:
        query = sa.select(KeptPrediction).order_by(KeptPrediction.id)
        return {row.origin: row for row in session.scalars(query)}


def ready(database: Database) -> list[str]:
    with database.read() as session:
        return list(kept_predictions.ready(session))


def test_what_is_planned_waits_until_the_results_have_gone(database: Database, job: JobId) -> None:
    found = rows(database)
    assert (found["live"].state, found["live"].content) == (KeptState.DONE, SAID)
    assert found["shadow"].state == KeptState.PENDING
    assert found["live"].job_id == found["shadow"].job_id == job
    assert ready(database) == []
    for state, key in ((DeliveryState.SENDING, []), (DeliveryState.STORED, [found["shadow"].id])):
        with database.write("test", NOW) as transaction:
            transaction.execute(sa.update(Delivery).values(state=state))
        assert ready(database) == [str(one) for one in key]


def test_a_plan_made_twice_is_one(database: Database, job: JobId) -> None:
    with database.write("test", NOW) as transaction:
        kept_predictions.plan(transaction, transaction.get_one(Job, job), {}, [OTHER])
    assert rows(database)["live"].content == SAID
    assert len(rows(database)) == 2


@pytest.mark.usefixtures("job")
def test_a_prediction_is_made_once(database: Database) -> None:
    number = rows(database)["shadow"].id
    with database.write("test", NOW) as transaction:
        assert kept_predictions.begin(transaction, number) is not None
        kept_predictions.succeed(transaction, number, SAID)
        kept_predictions.fail(transaction, number, "LATE", "another one was first")
    assert (rows(database)["shadow"].state, rows(database)["shadow"].content) == ("DONE", SAID)
    with database.write("test", NOW) as transaction:
        assert kept_predictions.begin(transaction, number) is None


@pytest.mark.usefixtures("job")
def test_what_ends_its_process_each_time_is_given_up(database: Database) -> None:
    number = rows(database)["shadow"].id
    for attempt in range(MOST_ATTEMPTS + 1):
        with database.write("test", NOW) as transaction:
            begun = kept_predictions.begin(transaction, number) is not None
        assert begun == (attempt < MOST_ATTEMPTS)
    assert (rows(database)["shadow"].state, rows(database)["shadow"].error_code) == (
        KeptState.FAILED,
        "CRASHED",
    )


def test_what_is_known_of_a_revision_is_found_by_the_manifest(
    database: Database, job: JobId
) -> None:
    new = Maker("demo", "3.0", "e" * 64)
    with database.write("test", NOW) as transaction:
        row = transaction.get_one(Job, job)
        kept_predictions.keep_replay(transaction, row, new, {}, ("DATA", "no image"))
        study, revision = row.study_id, row.revision
    with database.read() as session:
        found = kept_predictions.of_study(session, study, revision)
        assert {one.origin for one in found.values()} == {Origin.LIVE, Origin.REPLAY}
        assert (found[new.manifest_sha256].state, found[new.manifest_sha256].error_code) == (
            KeptState.FAILED,
            "DATA",
        )
        assert kept_predictions.of_study(session, study, revision + 1) == {}


def test_they_are_removed_by_age_and_with_their_study(database: Database, job: JobId) -> None:
    with database.write("test", NOW) as transaction:
        kept_predictions.expire(transaction, 9, NOW)
        assert kept_predictions.busy(transaction) is False
    assert len(rows(database)) == 2
    with database.write("test", NOW) as transaction:
        kept_predictions.expire(transaction, 9, NOW + timedelta(seconds=1))
    assert rows(database) == {}
    with database.write("test", NOW) as transaction:
        row = transaction.get_one(Job, job)
        kept_predictions.plan(transaction, row, SAID, [])
        kept_predictions.remove(transaction, StudyId(row.study_id))
    assert rows(database) == {}


def test_of_each_study_the_last_job_is_compared(database: Database, job: JobId) -> None:
    with database.read() as session:
        study = session.scalars(sa.select(Study)).one()
        for models, studies, since, found in (
            ({"demo"}, [], None, [job]),
            ({"other"}, [], None, []),
            (set(), [study.id], None, [job]),
            (set(), [study.id + 1], None, []),
            (set(), [], study.last_received_at, [job]),
            (set(), [], study.last_received_at + timedelta(seconds=1), []),
        ):
            assert kept_predictions.last_jobs(session, models, studies, since) == found
