"""What makes crashes harmless does so with every engine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.config.sections import Storage
from pacs_ai.domain import TaskKind
from pacs_ai.flow import recover
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.leases import Blame
from pacs_ai.store.spool import Spool
from tests.contract.conftest import Engines
from tests.unit.store.samples import routed_job

ANALYSES = (TaskKind.ANALYSE,)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def context(engines: Engines, tmp_path: Path, clock: ManualClock) -> FlowContext:
    spool = Spool(tmp_path / "spool", "node")
    spool.open()
    config = Config(storage=Storage(min_free_gb=0))
    owner = "node/boot/1"
    return FlowContext(config, engines.database, spool, engines.of(owner), clock, owner, b"secret")


@pytest.fixture
def job(context: FlowContext) -> str:
    """A job that waits; nobody has asked for its task."""
    with context.write() as transaction:
        return routed_job(transaction)[1]


def performed(engines: Engines, during: Callable[[], object] = lambda: None) -> list[str]:
    done: list[str] = []

    def perform(_kind: TaskKind, key: str) -> None:
        during()
        done.append(key)

    engines.of("node/boot/2").drain(perform, ANALYSES)
    return done


def test_ten_sweeps_give_one_waiting_row_one_task(engines: Engines, context: FlowContext, job: str):
    watch = recover.LeaseWatch()
    for _ in range(10):
        recover.sweep(context, watch)
    assert performed(engines) == [job]


def test_sweeps_do_not_ask_again_for_a_task_that_is_performed(
    engines: Engines, context: FlowContext, job: str
):
    watch = recover.LeaseWatch()
    recover.sweep(context, watch)
    assert performed(engines, lambda: recover.sweep(context, watch)) == [job]


def test_a_task_that_got_lost_is_given_again(engines: Engines, context: FlowContext, job: str):
    watch = recover.LeaseWatch()
    recover.sweep(context, watch)
    assert performed(engines) == [job]
    recover.sweep(context, watch)
    assert performed(engines) == [job], "the job still waits: its row is the truth"


def test_the_task_of_a_worker_that_gives_no_sign_of_life_is_taken_back(
    engines: Engines, context: FlowContext, clock: ManualClock
):
    watch = recover.LeaseWatch()
    engines.enqueue("a")
    with engines.frozen("other/boot/1"):
        recover.sweep(context, watch)
        clock.advance(context.config.engine.lease_seconds)
        recover.sweep(context, watch)
        assert len(engines.held()) == 1
        clock.advance(1)
        recover.sweep(context, watch)
        assert engines.held() == []
        assert engines.drained() == ["a"]


@pytest.mark.parametrize(("owner", "taken"), [("node/earlier/3", True), ("other/boot/3", False)])
def test_a_restart_takes_back_what_this_node_held_and_nothing_else(
    engines: Engines, context: FlowContext, owner: str, taken: bool
):
    engines.enqueue("a")
    with engines.frozen(owner):
        recover.restart(context, recover.Arrivals())
        assert (engines.held() == []) == taken
        assert engines.drained() == ["a"] * taken


def test_what_a_process_held_that_ended_is_taken_back_at_once(
    engines: Engines, context: FlowContext
):
    engines.enqueue("a")
    with engines.frozen("node/boot/3"):
        recover.take_back_from(context, ["node/boot/4"], Blame.WORKER)
        assert len(engines.held()) == 1
        recover.take_back_from(context, ["node/boot/3"], Blame.WORKER)
        assert engines.drained() == ["a"]
