"""Leases on a clock that jumps, and tasks that got lost."""

from dataclasses import replace
from datetime import timedelta

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobState, TaskKind
from pacs_ai.flow import recover
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import jobs, leases, studies
from pacs_ai.store.schema import Job
from tests.unit.store.samples import add_instance, arrival, routed_job, sender


def running_job(context: FlowContext, owner: str) -> jobs.Lease:
    with context.write(owner) as transaction:
        _, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
    return lease


def state_of(context: FlowContext, lease: jobs.Lease) -> str:
    with context.database.read() as session:
        return session.get_one(Job, lease.job_id).state


def test_an_expired_lease_is_taken_back(context: FlowContext, clock: ManualClock):
    lease = running_job(context, "other/boot/1")
    watch = recover.LeaseWatch()
    recover.sweep(context, watch)
    clock.advance(119)
    recover.sweep(context, watch)
    assert state_of(context, lease) == JobState.RUNNING
    clock.advance(2)
    recover.sweep(context, watch)
    assert state_of(context, lease) == JobState.QUEUED
    with context.database.read() as session:
        assert context.engine.existing(session, TaskKind.ANALYSE) == {lease.job_id}


def test_a_clock_that_jumps_expires_no_lease(context: FlowContext, clock: ManualClock):
    lease = running_job(context, "other/boot/1")
    watch = recover.LeaseWatch()
    recover.sweep(context, watch)
    clock.jump(timedelta(days=365).total_seconds())
    recover.sweep(context, watch)
    clock.jump(-timedelta(days=730).total_seconds())
    recover.sweep(context, watch)
    assert state_of(context, lease) == JobState.RUNNING


def test_a_renewed_lease_counts_anew(context: FlowContext, clock: ManualClock):
    lease = running_job(context, "other/boot/1")
    watch = recover.LeaseWatch()
    for _ in range(5):
        recover.sweep(context, watch)
        clock.advance(100)
        with context.write() as transaction:
            assert jobs.renew(transaction, lease, 120)
    recover.sweep(context, watch)
    assert state_of(context, lease) == JobState.RUNNING


def test_a_restart_takes_back_at_once_what_this_node_held_and_nothing_else(
    context: FlowContext,
):
    own = running_job(context, "node/earlier/77")
    recover.restart(context, recover.Arrivals())
    assert state_of(context, own) == JobState.QUEUED
    with context.write("other/boot/1") as transaction:
        assert jobs.claim(transaction, own.job_id, 60) is not None
    recover.restart(context, recover.Arrivals())
    assert state_of(context, own) == JobState.RUNNING


def test_losing_all_tasks_costs_one_sweep(context: FlowContext):
    with context.write() as transaction:
        _, job_id = routed_job(transaction)
        assert context.engine.existing(transaction, TaskKind.ANALYSE) == set()
    recover.sweep(context, recover.LeaseWatch())
    with context.database.read() as session:
        assert context.engine.existing(session, TaskKind.ANALYSE) == {job_id}
        assert leases.held(session) == []


def receiving_on(context: FlowContext, node: str) -> None:
    with context.write() as transaction:
        add_instance(transaction, arrival(), replace(sender(), node=node))


def nodes(context: FlowContext) -> list[str]:
    with context.database.read() as session:
        return sorted(studies.receiving_nodes(session))


def test_the_studies_of_a_node_that_is_gone_are_received_on(context: FlowContext):
    receiving_on(context, "renamed")
    recover.take_over(context, lambda _: True)
    assert nodes(context) == ["node"]


def test_the_studies_of_a_node_that_works_are_left_to_it(context: FlowContext):
    receiving_on(context, "neighbour")
    recover.take_over(context, lambda node: node != "neighbour")
    assert nodes(context) == ["neighbour"]
