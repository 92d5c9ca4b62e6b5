"""What an operator does with jobs, without the command line."""

import pytest

from pacs_ai.domain import JobId, JobState, TaskKind
from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import jobs as operate
from pacs_ai.flow.operate.find import selection
from pacs_ai.store import overview, tasks
from pacs_ai.store.records import to_dict
from pacs_ai.store.schema import Job
from pacs_ai.store.selection import Filter
from tests.unit.store import samples


@pytest.fixture
def rejected(context: FlowContext) -> JobId:
    with context.write() as transaction:
        return samples.rejected_job(transaction)


def state(context: FlowContext, job: str) -> str:
    with context.database.read() as session:
        return session.get_one(Job, job).state


def queued(context: FlowContext) -> set[str]:
    with context.database.read() as session:
        return tasks.existing(session, TaskKind.ANALYSE)


def test_a_job_is_named_by_the_beginning_of_its_id(context: FlowContext, rejected: JobId) -> None:
    assert operate.retry_jobs(context, [rejected[:8], rejected[:8]]).ids == [rejected]
    assert state(context, rejected) == JobState.QUEUED
    assert queued(context) == {rejected}
    with context.database.read() as session:
        last = overview.events(session, "job", rejected)[-1]
    assert (last.from_state, last.to_state, last.actor) == ("REJECTED", "QUEUED", context.owner)


def test_all_that_match_are_tried_again(context: FlowContext, rejected: JobId) -> None:
    assert operate.retry_matching_jobs(context, Filter()) == operate.Retried(0, [])
    assert operate.retry_matching_jobs(context, Filter(state="REJECTED", model="other")).ids == []
    assert state(context, rejected) == JobState.REJECTED
    done = operate.retry_matching_jobs(context, selection(context, state="REJECTED", study="1"))
    assert to_dict(done) == {"retried": 1, "ids": [rejected]}
    assert queued(context) == {rejected}


@pytest.mark.parametrize("reference", ["", " ", "no such"])
def test_a_reference_that_names_no_job(
    context: FlowContext, rejected: JobId, reference: str
) -> None:
    for action in (operate.show_job, operate.cancel_job):
        with pytest.raises(StateError):
            action(context, reference)
    with pytest.raises(StateError):
        operate.retry_jobs(context, [rejected, reference])
    assert state(context, rejected) == JobState.REJECTED


def test_a_state_that_cannot_be_tried_again(context: FlowContext) -> None:
    with pytest.raises(StateError, match="only FAILED, REJECTED, WAITING"):
        operate.retry_matching_jobs(context, Filter(state="SUCCEEDED"))


def test_cancel(context: FlowContext, rejected: JobId) -> None:
    with pytest.raises(IllegalTransition):
        operate.cancel_job(context, rejected)
    operate.retry_jobs(context, [rejected])
    assert operate.cancel_job(context, rejected) == rejected
    assert state(context, rejected) == JobState.CANCELLED


def test_a_job_with_all_that_belongs_to_it(context: FlowContext) -> None:
    with context.write() as transaction:
        job = samples.analysed_job(transaction)
        delivery = samples.failed_delivery(transaction, job)
    (listed,) = operate.list_jobs(context, Filter())
    details = operate.show_job(context, job)
    assert (listed.id, listed.seconds) == (job, 2)
    assert to_dict(details).items() >= to_dict(listed).items()
    assert [one.id for one in details.deliveries] == [delivery]
    assert [one.sop_instance_uid for one in details.results] == ["2.25.1"]
    assert [one.to_state for one in details.events] == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert list(to_dict(details))[-3:] == ["results", "deliveries", "events"]
