"""What waits in the database while the date is set back and forth by hours."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.config import DimsePeer
from pacs_ai.domain import DeliveryState, JobId, JobState
from pacs_ai.flow.commitment_scu import ANSWER_WITHIN, remind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.store import commitments, deliveries, jobs
from pacs_ai.store.schema import Delivery, Job
from tests.unit.store.samples import made, routed_job

HOUR = 3600.0
PAUSE = 100.0
PACS = DimsePeer(ae_title="PACS", host="127.0.0.1", port=1, commitment=True, retry_max_seconds=300)


@pytest.fixture
def node(context: FlowContext) -> FlowContext:
    return replace(context, config=context.config.model_copy(update={"peers": {"pacs": PACS}}))


def begun(node: FlowContext) -> tuple[JobId, jobs.Lease]:
    with node.write() as transaction:
        _, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
    return job_id, lease


@pytest.fixture
def waiting_job(node: FlowContext) -> JobId:
    job_id, lease = begun(node)
    with node.write() as transaction:
        due = node.now() + timedelta(seconds=PAUSE)
        jobs.postpone(transaction, lease, "NO_SPACE", "full", due)
    return job_id


def claimed(node: FlowContext) -> deliveries.ClaimedDelivery:
    job_id, lease = begun(node)
    with node.write() as transaction:
        jobs.succeed(transaction, lease, [made()], "ok")
        (one,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
    return one


@pytest.fixture
def waiting_delivery(node: FlowContext) -> None:
    one = claimed(node)
    with node.write() as transaction:
        deliveries.postpone(
            transaction,
            one,
            code="PEER_UNREACHABLE",
            text="down",
            due_at=node.now() + timedelta(seconds=PAUSE),
            refusals=0,
        )


@pytest.fixture
def asked(node: FlowContext) -> None:
    one = claimed(node)
    with node.write() as transaction:
        deliveries.stored(transaction, one, status=0, note="")
        ((delivery, _),) = commitments.stored(
            transaction, transaction.scalars(sa.select(Job)).one().id, "pacs"
        )
        assert commitments.ask(transaction, delivery, "2.25.9")


def job_state(node: FlowContext) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Job)).one().state


def delivery(node: FlowContext) -> Delivery:
    with node.database.read() as session:
        return session.scalars(sa.select(Delivery)).one()


def look(node: FlowContext) -> None:
    sweep(node, LeaseWatch())


@pytest.mark.usefixtures("waiting_job")
def test_a_job_put_off_before_the_clock_was_set_back_goes_on(
    node: FlowContext, clock: ManualClock
) -> None:
    look(node)
    assert job_state(node) == JobState.WAITING
    clock.jump(-5 * HOUR)
    look(node)
    assert job_state(node) == JobState.QUEUED


@pytest.mark.usefixtures("waiting_job")
def test_a_clock_set_back_a_little_prolongs_the_pause_by_as_much(
    node: FlowContext, clock: ManualClock
) -> None:
    clock.jump(-60)
    look(node)
    assert job_state(node) == JobState.WAITING
    clock.advance(60 + PAUSE)
    look(node)
    assert job_state(node) == JobState.QUEUED


@pytest.mark.usefixtures("waiting_delivery")
@pytest.mark.parametrize("hours", [-24 * 365, -5, 5])
def test_a_delivery_goes_on_whichever_way_the_clock_was_set(
    node: FlowContext, clock: ManualClock, hours: float
) -> None:
    look(node)
    assert delivery(node).state == DeliveryState.WAITING
    clock.jump(hours * HOUR)
    look(node)
    assert delivery(node).state == DeliveryState.PENDING


@pytest.mark.usefixtures("asked")
def test_an_archive_is_asked_again_an_hour_after_the_clock_was_set_back(
    node: FlowContext, clock: ManualClock
) -> None:
    clock.jump(-30 * HOUR)
    remind(node)
    assert delivery(node).state == DeliveryState.COMMITTING
    clock.advance(ANSWER_WITHIN.total_seconds() + 1)
    remind(node)
    assert delivery(node).error_code == commitments.UNANSWERED


@pytest.mark.usefixtures("asked")
def test_a_clock_set_forth_asks_early_and_gives_nothing_up(
    node: FlowContext, clock: ManualClock
) -> None:
    clock.jump(30 * HOUR)
    remind(node)
    assert delivery(node).state == DeliveryState.STORED
    assert delivery(node).error_code == commitments.UNANSWERED
