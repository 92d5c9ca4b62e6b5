"""A study is closed once, for one of three reasons, and asks for its route."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import DimsePeer
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.config.completeness import StudyTiming
from pacs_ai.domain import StudyState, TaskKind
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store.schema import Event, Study
from pacs_ai.store.spool import Spool

TIMING = Timing(quiet_seconds=60, max_wait_seconds=600, modality={})


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def node(context: FlowContext) -> FlowContext:
    return replace(context, config=context.config.model_copy(update={"study": TIMING}))


@pytest.fixture
def arrived(send: Callable[..., StoreAnswer], ct: Dataset, arrivals: Arrivals) -> None:
    """One CT slice came on the association ``a``, which is still open."""
    assert send(ct, arrivals=arrivals).status == 0x0000


def state(node: FlowContext) -> str:
    with node.database.read() as session:
        return session.scalars(sa.select(Study.state)).one()


def reason(node: FlowContext) -> str:
    query = sa.select(Event.note).where(Event.to_state == StudyState.COMPLETE)
    with node.database.read() as session:
        return session.scalars(query).one()


def closed(node: FlowContext, arrivals: Arrivals) -> int:
    """Close what is complete; returns how many studies that were."""
    query = sa.select(sa.func.count()).where(Event.to_state == StudyState.COMPLETE)
    with node.database.read() as session:
        before = session.scalars(query).one()
    Completion(node, arrivals).sweep()
    with node.database.read() as session:
        return session.scalars(query).one() - before


def routes(node: FlowContext) -> set[str]:
    with node.database.read() as session:
        return node.engine.existing(session, TaskKind.ROUTE)


def end(arrivals: Arrivals, clock: ManualClock, *, released: bool = True) -> None:
    arrivals.closed("a", released=released, now=clock.monotonic())


@pytest.mark.usefixtures("arrived")
def test_an_open_association_keeps_a_study_open(
    node: FlowContext, arrivals: Arrivals, clock: ManualClock
) -> None:
    clock.advance(599)
    assert closed(node, arrivals) == 0
    assert (state(node), routes(node)) == (StudyState.RECEIVING, set())


@pytest.mark.usefixtures("arrived")
def test_a_study_that_is_quiet_is_closed_once(
    node: FlowContext, arrivals: Arrivals, clock: ManualClock
) -> None:
    end(arrivals, clock)
    clock.advance(59)
    assert closed(node, arrivals) == 0
    clock.advance(1)
    assert closed(node, arrivals) == 1
    assert (state(node), reason(node)) == (StudyState.COMPLETE, "quiet")
    assert routes(node) == {"1:1"}
    assert closed(node, arrivals) == 0


@pytest.mark.usefixtures("arrived")
def test_a_study_that_never_ends_is_closed_all_the_same(
    node: FlowContext, arrivals: Arrivals, clock: ManualClock
) -> None:
    clock.advance(600)
    assert closed(node, arrivals) == 1
    assert reason(node) == "longest wait over"


@pytest.mark.usefixtures("arrived")
@pytest.mark.parametrize("where", ["modality", "peer"])
def test_a_release_closes_where_the_modality_or_the_sender_says_so(
    node: FlowContext, arrivals: Arrivals, clock: ManualClock, where: str
) -> None:
    if where == "modality":
        timing = TIMING.model_copy(update={"modality": {"CT": StudyTiming(release_seconds=3)}})
        changes: dict[str, object] = {"study": timing}
    else:
        peer = DimsePeer(ae_title="MODALITY", host="h", port=104, release_seconds=3)
        changes = {"peers": {"sender": peer}}
    node = replace(node, config=node.config.model_copy(update=changes))
    end(arrivals, clock)
    clock.advance(2)
    assert closed(node, arrivals) == 0
    clock.advance(1)
    assert closed(node, arrivals) == 1
    assert reason(node) == "association released"


@pytest.mark.usefixtures("arrived")
def test_an_abort_does_not_close(node: FlowContext, arrivals: Arrivals, clock: ManualClock) -> None:
    timing = TIMING.model_copy(update={"modality": {"CT": StudyTiming(release_seconds=3)}})
    node = replace(node, config=node.config.model_copy(update={"study": timing}))
    end(arrivals, clock, released=False)
    clock.advance(59)
    assert closed(node, arrivals) == 0
    clock.advance(1)
    assert closed(node, arrivals) == 1
    assert reason(node) == "quiet"


@pytest.mark.usefixtures("arrived")
def test_after_a_restart_the_quiet_time_counts_anew(node: FlowContext, clock: ManualClock) -> None:
    clock.advance(1000)
    after = Arrivals()
    assert closed(node, after) == 0
    clock.advance(60)
    assert closed(node, after) == 1


@pytest.mark.usefixtures("arrived")
def test_another_node_leaves_it_alone(
    node: FlowContext, arrivals: Arrivals, clock: ManualClock
) -> None:
    other = replace(node, spool=Spool(node.spool.root, "other"))
    end(arrivals, clock)
    clock.advance(60)
    assert closed(other, Arrivals()) == 0
    clock.advance(600)
    assert closed(other, Arrivals()) == 0
    assert state(node) == StudyState.RECEIVING


def test_an_instance_after_the_end_opens_a_revision_that_is_closed_too(
    node: FlowContext,
    arrivals: Arrivals,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
) -> None:
    for number in (1, 2):
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        assert send(ct, arrivals=arrivals).status == 0x0000
        end(arrivals, clock)
        clock.advance(60)
        assert closed(node, arrivals) == 1
    assert routes(node) == {"1:1", "1:2"}
