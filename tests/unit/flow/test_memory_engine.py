"""A whole study with an engine that is not the local one: the flow depends on none."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import DeliveryState, JobId, JobState, StudyState, TaskKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.flow.route import route
from tests.archive import Archive, archive
from tests.memory_engine import MemoryEngine, Tasks
from tests.unit.flow.analysed import Patient, demo, on_a_node
from tests.unit.flow.conftest import arrive


@pytest.fixture
def peer(free_port: Callable[[], int]) -> Iterator[Archive]:
    with archive(free_port(), 0) as one:
        yield one


@pytest.fixture
def patient(context: FlowContext, clock: ManualClock, peer: Archive) -> Patient:
    """A node whose tasks are in memory."""
    engine = MemoryEngine(Tasks(), context.owner)
    return on_a_node(replace(context, engine=engine), clock, port=peer.port)


def work(patient: Patient, kinds: tuple[TaskKind, ...] = tuple(TaskKind)) -> list[TaskKind]:
    """Do all that waits, of some kinds; returns which tasks that were."""
    context, done = patient.context, []

    def perform(kind: TaskKind, key: str) -> None:
        done.append(kind)
        if kind is TaskKind.ROUTE:
            route(context, {"demo": demo().identity}, key)
        elif kind is TaskKind.ANALYSE:
            analyse(context, {"demo": demo()}, JobId(key))
        elif kind is TaskKind.DELIVER:
            deliver(context, key)

    context.engine.drain(perform, kinds)
    return done


def received(patient: Patient, ct: Dataset) -> None:
    """Receive one instance, and let the quiet time of its study go by."""
    arrivals = Arrivals()
    assert arrive(patient.context, arrivals, ct, "a").status == 0x0000
    Completion(patient.context, arrivals).sweep()
    patient.clock.advance(3600)
    Completion(patient.context, arrivals).sweep()
    assert patient.study().state == StudyState.COMPLETE


def test_a_study_is_received_routed_analysed_and_delivered(
    patient: Patient, ct: Dataset, peer: Archive
):
    received(patient, ct)
    assert work(patient) == [TaskKind.ROUTE, TaskKind.ANALYSE, TaskKind.DELIVER]
    assert patient.study().state == StudyState.ROUTED
    assert patient.job().state == JobState.SUCCEEDED
    assert {one.state for one in patient.deliveries()} == {DeliveryState.STORED}
    assert peer.uids() == [one.sop_instance_uid for one in patient.results()]


def test_it_is_delivered_too_if_the_tasks_are_lost_before_every_step(
    patient: Patient, ct: Dataset, peer: Archive
):
    received(patient, ct)
    for kind in (TaskKind.ROUTE, TaskKind.ANALYSE, TaskKind.DELIVER):
        empty = MemoryEngine(Tasks(), "node/boot/1")
        patient = replace(patient, context=replace(patient.context, engine=empty))
        for _ in range(10):
            sweep(patient.context, LeaseWatch())
        assert work(patient, (kind,)) == [kind]
    assert peer.uids() == [one.sop_instance_uid for one in patient.results()]
