"""The states of a job and of what is queued, arrow by arrow, on both databases."""

import pytest

from pacs_ai.domain import JobState
from pacs_ai.errors import IllegalTransition, LeaseLost
from pacs_ai.store import jobs, leases, operator, results, waiting_jobs
from pacs_ai.store.schema import Job
from pacs_ai.store.session import Database
from tests.unit.store.samples import MODEL, NOW, add_instance, arrival, made, routed_job, sender


def test_late_instance_lets_a_running_job_finish(database: Database):
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        add_instance(transaction, arrival(2), sender())
        jobs.succeed(transaction, lease, [made()], "ok")
        transaction.expire_all()
        assert transaction.get_one(Job, job_id).state == JobState.SUCCEEDED


def test_job_of_a_study_in_conflict_is_not_claimed(database: Database):
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        add_instance(transaction, arrival(2), sender("p2"))
        assert jobs.claim(transaction, job_id, 60) is None
        assert transaction.scalars(waiting_jobs.queued()).all() == []


def test_a_job_exists_once_for_revision_and_model(database: Database):
    with database.write("test", NOW) as transaction:
        study, _ = routed_job(transaction)
        assert jobs.create(transaction, study, ["again"], "demo", MODEL) is None


def test_of_two_attempts_only_the_later_one_counts(database: Database):
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        sleeper = jobs.claim(transaction, job_id, 60)
        assert sleeper is not None
        (lease,) = leases.held(transaction)
        state = leases.take_back(transaction, lease, blame=leases.Blame.WORKER)
        assert state == JobState.QUEUED
        successor = jobs.claim(transaction, job_id, 60)
        assert successor is not None
        assert successor.attempt == 2
    with pytest.raises(LeaseLost), database.write("test", NOW) as transaction:
        jobs.succeed(transaction, sleeper, [made(1)], "late")
    with database.write("test", NOW) as transaction:
        assert not jobs.renew(transaction, sleeper, 60)
        assert jobs.renew(transaction, successor, 60)
        jobs.succeed(transaction, successor, [made(2)], "ok")
        assert [row.sop_instance_uid for row in results.of_job(transaction, job_id)] == ["2.25.2"]


@pytest.mark.parametrize(
    ("blame", "allowed"),
    [
        (leases.Blame.WORKER, 2),
        (leases.Blame.NODE, 5),
        (leases.Blame.TIME, 2),
        (leases.Blame.NOBODY, None),
    ],
)
def test_a_study_that_kills_workers_is_set_aside(
    database: Database, blame: leases.Blame, allowed: int | None
):
    states = []
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        for _ in range(7):
            if jobs.claim(transaction, job_id, 60) is None:
                break
            (lease,) = leases.held(transaction)
            states.append(leases.take_back(transaction, lease, blame=blame))
            transaction.expire_all()
    if allowed is None:
        assert states == [JobState.QUEUED] * 7
    else:
        assert states == [JobState.QUEUED] * (allowed - 1) + [JobState.FAILED]


def test_a_time_limit_is_no_crash_of_the_worker(database: Database):
    states = []
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        for blame in (leases.Blame.WORKER, leases.Blame.TIME, leases.Blame.TIME):
            assert jobs.claim(transaction, job_id, 60) is not None
            (lease,) = leases.held(transaction)
            states.append(leases.take_back(transaction, lease, blame=blame))
            transaction.expire_all()
        job = transaction.get_one(Job, job_id)
        assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
        assert (job.worker_crashes, job.error_code) == (1, "JOB_TIMEOUT")
        assert "[engine] job_timeout_seconds" in job.error_text


def test_operator_retries_what_failed_and_nothing_else(database: Database):
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        job = transaction.get_one(Job, job_id)
        with pytest.raises(IllegalTransition):
            operator.retry_job(transaction, job)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        jobs.fail(transaction, lease, "MODEL", "broken")
        transaction.refresh(job)
        operator.retry_job(transaction, job)
        transaction.refresh(job)
        assert (job.state, job.error_code) == (JobState.QUEUED, "")
        operator.cancel_job(transaction, job)
        transaction.refresh(job)
        with pytest.raises(IllegalTransition):
            operator.cancel_job(transaction, job)
