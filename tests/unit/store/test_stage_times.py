"""When a study passed each stage, from its rows."""

from datetime import timedelta

import pytest

from pacs_ai.errors import StateError
from pacs_ai.store import deliveries
from pacs_ai.store.session import Database
from pacs_ai.store.stage_times import stage_times
from tests.unit.store.samples import NOW, analysed_job, failed_delivery, rejected_job, routed_job

STUDY = "1.2.3"


def test_a_study_on_its_way_has_none(database: Database) -> None:
    with database.read() as session:
        assert stage_times(session, STUDY) is None
    with database.write("test", NOW) as transaction:
        routed_job(transaction)
    with database.read() as session:
        assert stage_times(session, STUDY) is None


def test_times_of_rows_and_of_the_audit_trail(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        job = analysed_job(transaction)
    with database.read() as session:
        assert stage_times(session, STUDY) is None
    at = NOW + timedelta(seconds=5)
    with database.write("test", at) as transaction:
        (claimed,) = deliveries.claim(transaction, job, "pacs", lease_seconds=60)
    with database.write("test", at + timedelta(seconds=1)) as transaction:
        assert deliveries.stored(transaction, claimed, status=0, note="")
    with database.read() as session:
        times = stage_times(session, STUDY)
    assert times is not None
    moments = (times.received, times.closed, times.started, times.finished, times.sending)
    assert [(one - NOW).total_seconds() for one in (*moments, times.stored)] == [0, 0, 1, 3, 5, 6]


def test_a_bad_end_is_an_error(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        failed_delivery(transaction, analysed_job(transaction))
    with database.read() as session, pytest.raises(StateError, match="not delivered"):
        stage_times(session, STUDY)


def test_a_study_that_was_not_analysed_is_an_error(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        rejected_job(transaction)
    with database.read() as session, pytest.raises(StateError, match="NO_FITTING_SERIES"):
        stage_times(session, STUDY)
