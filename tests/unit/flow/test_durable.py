"""Nothing leaves before the rows that it follows from are safe from a power cut."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pynetdicom import evt

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobId, TaskKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import deliver
from pacs_ai.flow.route import route
from tests.archive import Archive, archive
from tests.unit.flow.analysed import Patient, demo, on_a_node
from tests.unit.flow.conftest import arrive

SENT = "sent"
FLUSHED = "FULL"


@pytest.fixture
def order(context: FlowContext, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in its order: commits by their level, and objects that are sent."""
    seen: list[str] = []
    sa.event.listen(
        context.database.engine, "commit", lambda one: seen.append(one.info["synchronous"])
    )
    take = Archive.take

    def note(self: Archive, event: evt.Event) -> int:
        seen.append(SENT)
        return take(self, event)

    monkeypatch.setattr(Archive, "take", note)
    return seen


@pytest.fixture
def patient(
    context: FlowContext, clock: ManualClock, free_port: Callable[[], int], order: list[str]
) -> Iterator[Patient]:
    assert order == []
    with archive(free_port(), 0) as peer:
        yield on_a_node(context, clock, port=peer.port)


def work(patient: Patient, kind: TaskKind) -> None:
    context = patient.context

    def perform(kind: TaskKind, key: str) -> None:
        if kind is TaskKind.ROUTE:
            route(context, {"demo": demo().identity}, key)
        elif kind is TaskKind.ANALYSE:
            analyse(context, {"demo": demo()}, JobId(key))
        else:
            deliver(context, key)

    assert context.engine.drain(perform, (kind,)) == 1


def test_what_promises_something_is_flushed_first(
    patient: Patient, ct: Dataset, order: list[str]
) -> None:
    arrivals = Arrivals()
    assert arrive(patient.context, arrivals, ct, "a").status == 0x0000
    assert order == [FLUSHED], "the sender is told that the instance is safe"
    Completion(patient.context, arrivals).sweep()
    patient.clock.advance(3600)
    Completion(patient.context, arrivals).sweep()
    order.clear()
    work(patient, TaskKind.ROUTE)
    assert FLUSHED not in order
    work(patient, TaskKind.ANALYSE)
    assert order.count(FLUSHED) == 1, "a job that takes the machine down is counted"
    order.clear()
    work(patient, TaskKind.DELIVER)
    assert order[order.index(SENT) - 1] == FLUSHED
