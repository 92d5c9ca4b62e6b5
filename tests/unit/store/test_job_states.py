"""The states of a job and of what is queued, arrow by arrow, on both databases."""

import pytest

from pacs_ai.domain import JobState
from pacs_ai.errors import IllegalTransition, LeaseLost
from pacs_ai.store import admission, jobs, leases, operator, results
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Database
from tests.unit.store.samples import MODEL, NOW, arrival, made, routed_job, sender


def test_late_instance_lets_a_running_job_finish(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        admission.add_instance(session, arrival(2), sender(), NOW)
        jobs.succeed(session, lease, [made()], "ok", NOW)
        session.expire_all()
        assert session.get_one(Job, job_id).state == JobState.SUCCEEDED


def test_job_of_a_study_in_conflict_is_not_claimed(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        admission.add_instance(session, arrival(2), sender("p2"), NOW)
        assert jobs.claim(session, job_id, "node/1/1", 60, NOW) is None
        assert jobs.queued(session) == []


def test_a_job_exists_once_for_revision_and_model(database: Database):
    with database.write() as session:
        study, _ = routed_job(session)
        assert jobs.create(session, study, ["again"], "demo", MODEL, NOW) is None


def test_of_two_attempts_only_the_later_one_counts(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        sleeper = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert sleeper is not None
        (lease,) = leases.held(session)
        state = leases.take_back(session, lease, blame=leases.Blame.WORKER, now=NOW, actor="sweep")
        assert state == JobState.QUEUED
        successor = jobs.claim(session, job_id, "node/1/2", 60, NOW)
        assert successor is not None
        assert successor.attempt == 2
    with pytest.raises(LeaseLost), database.write() as session:
        jobs.succeed(session, sleeper, [made(1)], "late", NOW)
    with database.write() as session:
        assert not jobs.renew(session, sleeper, 60, NOW)
        assert jobs.renew(session, successor, 60, NOW)
        jobs.succeed(session, successor, [made(2)], "ok", NOW)
        assert [row.sop_instance_uid for row in results.of_job(session, job_id)] == ["2.25.2"]


@pytest.mark.parametrize(
    ("blame", "allowed"),
    [(leases.Blame.WORKER, 2), (leases.Blame.NODE, 5), (leases.Blame.NOBODY, None)],
)
def test_a_study_that_kills_workers_is_set_aside(
    database: Database, blame: leases.Blame, allowed: int | None
):
    states = []
    with database.write() as session:
        _, job_id = routed_job(session)
        for attempt in range(1, 8):
            if jobs.claim(session, job_id, f"node/1/{attempt}", 60, NOW) is None:
                break
            (lease,) = leases.held(session)
            states.append(leases.take_back(session, lease, blame=blame, now=NOW, actor="sweep"))
            session.expire_all()
    if allowed is None:
        assert states == [JobState.QUEUED] * 7
    else:
        assert states == [JobState.QUEUED] * (allowed - 1) + [JobState.FAILED]


def test_operator_retries_what_failed_and_nothing_else(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        job = session.get_one(Job, job_id)
        with pytest.raises(IllegalTransition):
            operator.retry_job(session, job, NOW)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.fail(session, lease, "MODEL", "broken", NOW)
        session.refresh(job)
        operator.retry_job(session, job, NOW)
        session.refresh(job)
        assert (job.state, job.error_code) == (JobState.QUEUED, "")
        operator.cancel_job(session, job, NOW)
        session.refresh(job)
        with pytest.raises(IllegalTransition):
            operator.cancel_job(session, job, NOW)
