"""One study that comes through two nodes at once is closed once both have all of it."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyState
from pacs_ai.flow import presence, recover
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.brought import Brought
from pacs_ai.store.schema import Event, Study
from pacs_ai.store.spool import Spool
from tests.both_databases import open_database  # noqa: F401 - takes the place of another fixture
from tests.unit.flow.conftest import arrive

TIMING = Timing(quiet_seconds=30, release_seconds=2, max_wait_seconds=600, modality={})


class Listener:
    """One of the nodes, with one association."""

    def __init__(self, context: FlowContext, name: str, ct: Dataset) -> None:
        spool = Spool(context.spool.root, name)
        spool.open()
        config = context.config.model_copy(update={"study": TIMING})
        self.context = replace(context, owner=f"{name}/boot/1", spool=spool, config=config)
        self.name = name
        self.ct = ct
        self.images = 0
        self.arrivals = Arrivals()
        self.completion = Completion(self.context, self.arrivals)

    def image(self) -> None:
        self.images += 1
        uid = f"1.2.{ord(self.name)}.{self.images}"
        self.ct.SOPInstanceUID = self.ct.file_meta.MediaStorageSOPInstanceUID = uid
        assert arrive(self.context, self.arrivals, self.ct, self.name).status == 0

    def end(self, *, released: bool = True) -> None:
        now = self.context.clock.monotonic()
        self.arrivals.closed(self.name, released=released, now=now)


class Pair:
    def __init__(self, context: FlowContext, clock: ManualClock, ct: Dataset) -> None:
        self.clock = clock
        self.context = context
        self.a, self.b = Listener(context, "a", ct), Listener(context, "b", ct)

    def passes(self, seconds: int) -> None:
        """Let both sweep once a second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.a.completion.sweep()
            self.b.completion.sweep()

    @property
    def closed(self) -> bool:
        with self.context.database.read() as session:
            return session.scalars(sa.select(Study.state)).one() != StudyState.RECEIVING

    @property
    def reasons(self) -> list[str]:
        query = sa.select(Event.note).where(Event.to_state == StudyState.COMPLETE)
        with self.context.database.read() as session:
            return list(session.scalars(query))


@pytest.fixture
def pair(context: FlowContext, clock: ManualClock, ct: Dataset) -> Pair:
    return Pair(context, clock, ct)


def test_the_release_of_one_association_does_not_end_that_of_another_node(pair: Pair) -> None:
    pair.a.image()
    pair.b.image()
    pair.b.end()
    pair.passes(20)
    assert not pair.closed, "node a has its association still"
    pair.a.end()
    pair.passes(1)
    assert not pair.closed
    pair.passes(3)
    assert pair.reasons == ["association released"]
    with pair.context.database.read() as session:
        assert session.scalars(sa.select(Brought)).all() == []


def test_a_node_that_receives_again_after_it_has_told_is_waited_for(pair: Pair) -> None:
    pair.a.image()
    pair.b.image()
    pair.a.end()
    pair.passes(3)
    pair.a.image()
    pair.b.image()
    pair.b.end()
    pair.passes(20)
    assert not pair.closed
    pair.a.end()
    pair.passes(4)
    assert pair.reasons == ["association released"]


def test_after_an_abort_at_another_node_the_quiet_time_counts(pair: Pair) -> None:
    pair.a.image()
    pair.b.image()
    pair.a.end(released=False)
    pair.b.end()
    pair.passes(28)
    assert not pair.closed
    pair.passes(4)
    assert pair.reasons == ["quiet"]


def test_a_node_that_is_gone_is_waited_for_no_longer_than_a_silent_association(
    pair: Pair,
) -> None:
    pair.a.image()
    pair.b.image()
    pair.b.end()
    idle = round(pair.context.config.limits.idle_seconds)
    for _ in range(idle - 2):
        pair.clock.advance(1)
        pair.b.completion.sweep()
    assert not pair.closed
    for _ in range(4):
        pair.clock.advance(1)
        pair.b.completion.sweep()
    assert pair.closed


def test_who_takes_over_waits_only_for_the_quiet_time(pair: Pair) -> None:
    pair.a.image()
    recover.take_over(pair.b.context, lambda node: node == "a")
    pair.passes(28)
    assert not pair.closed
    pair.passes(4)
    assert pair.reasons == ["quiet"]


def test_a_study_of_one_node_waits_for_nobody(pair: Pair) -> None:
    pair.a.image()
    pair.a.end()
    pair.passes(3)
    assert pair.reasons == ["association released"]


def only_b(pair: Pair, seconds: int) -> None:
    """Let node a end in order, and b sweep once a second."""
    presence.leave(pair.a.context)
    for _ in range(seconds):
        pair.clock.advance(1)
        pair.b.completion.sweep()


def test_a_node_that_ends_in_order_is_not_waited_for(pair: Pair) -> None:
    pair.a.image()
    pair.b.image()
    pair.b.end()
    only_b(pair, 35)
    assert pair.reasons == ["quiet"]


def test_what_a_node_has_told_holds_after_its_end(pair: Pair) -> None:
    pair.a.image()
    pair.b.image()
    pair.a.end()
    pair.passes(3)
    pair.b.end()
    only_b(pair, 4)
    assert pair.reasons == ["association released"]
