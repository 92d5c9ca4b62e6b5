"""An urgent study passes those that wait, from its first image to its route."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Config
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyState, TaskKind
from pacs_ai.engine.hold import HOLD_SECONDS, LOOK_SECONDS
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext, RulesInForce
from pacs_ai.flow.current_rules import begin_with, node_of, reload_rules
from pacs_ai.flow.destination_limits import DestinationLimits
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.priorities import Priority
from pacs_ai.store import tasks
from pacs_ai.store.completeness import Revision
from pacs_ai.store.schema import Event, Study
from tests.unit.flow.conftest import arrive

STAT: dict[str, Any] = {"routing": {"urgent": {"RequestedProcedurePriority": "STAT"}}}
ROUTES = (TaskKind.ROUTE,)


def with_sections(context: FlowContext, **sections: Any) -> FlowContext:
    timing = Timing(quiet_seconds=60, max_wait_seconds=600, modality={}).model_dump()
    given = {**context.config.model_dump(mode="json"), "study": timing, **sections}
    return replace(context, config=Config.model_validate(given), in_force=RulesInForce())


class Sender:
    """Sends studies of one image, each on an association that is released."""

    def __init__(self, node: FlowContext, clock: ManualClock, ct: Dataset) -> None:
        self.node, self.clock, self.ct = node, clock, ct
        self.arrivals: Arrivals = Arrivals()
        self.number = 0

    def study(self, **values: str) -> None:
        self.number += 1
        self.ct.StudyInstanceUID = f"1.2.3.{self.number}"
        self.image(1, **values)

    def image(self, number: int, **values: str) -> None:
        self.ct.SOPInstanceUID = f"1.2.4.{self.number}.{number}"
        self.ct.file_meta.MediaStorageSOPInstanceUID = self.ct.SOPInstanceUID
        self.ct.RequestedProcedurePriority = values.pop("priority", "ROUTINE")
        for keyword, value in values.items():
            setattr(self.ct, keyword, value)
        association = f"{self.number}.{number}"
        assert arrive(self.node, self.arrivals, self.ct, association).status == 0x0000
        self.arrivals.closed(association, released=True, now=self.clock.monotonic())

    @property
    def priorities(self) -> list[int]:
        with self.node.database.read() as session:
            return list(session.scalars(sa.select(Study.priority).order_by(Study.id)))

    @property
    def closed(self) -> list[int]:
        """The numbers of the studies that are closed, in the order in which that was done."""
        query = sa.select(Event.entity_id).where(Event.to_state == StudyState.COMPLETE)
        with self.node.database.read() as session:
            return [int(one) for one in session.scalars(query.order_by(Event.id))]

    def routes(self) -> list[str]:
        """Claim all routes; return their keys in this order."""
        found = []
        with self.node.write() as transaction:
            while (task := tasks.claim(transaction, ROUTES, 60)) is not None:
                found.append(task.key)
        return found


@pytest.mark.parametrize(
    "sections",
    [
        STAT,
        {"routing": {"urgent": {"all": [{"Modality": "CT"}, {"CallingAET": "MODAL*"}]}}},
        {"routing": {"urgent": {"CallingAddress": "127.0.0.0/8"}}},
        {
            "rules": [
                {"name": "late", "model": "demo"},
                {
                    "name": "first",
                    "model": "demo",
                    "priority": "urgent",
                    "when": {"RequestedProcedurePriority": "STAT"},
                },
            ]
        },
    ],
)
def test_the_first_image_makes_a_study_urgent(
    context: FlowContext, clock: ManualClock, ct: Dataset, sections: dict[str, Any]
) -> None:
    sender = Sender(with_sections(context, **sections), clock, ct)
    sender.study(priority="STAT")
    assert sender.priorities == [Priority.URGENT]


@pytest.mark.parametrize(
    "sections",
    [
        {},
        STAT,
        {"routing": {"urgent": {"CallingAET": "OTHER"}}},
        {"rules": [{"name": "low", "model": "demo", "priority": "low"}]},
    ],
)
def test_others_are_routine(
    context: FlowContext, clock: ManualClock, ct: Dataset, sections: dict[str, Any]
) -> None:
    sender = Sender(with_sections(context, **sections), clock, ct)
    sender.study()
    assert sender.priorities == [Priority.ROUTINE]


def test_the_first_image_of_a_later_series_makes_it_urgent_too(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    sender = Sender(with_sections(context, **STAT), clock, ct)
    sender.study()
    sender.image(2, SeriesInstanceUID="1.2.5.2", priority="STAT")
    assert sender.priorities == [Priority.URGENT]
    sender.image(3, SeriesInstanceUID="1.2.5.3")
    assert sender.priorities == [Priority.URGENT]


def test_rules_that_were_reloaded_count(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    sender = Sender(with_sections(context), clock, ct)
    begin_with(sender.node)
    sender.study(priority="STAT")
    reloaded = with_sections(context, **STAT).config
    reload_rules(sender.node, node_of(sender.node), lambda: reloaded)
    clock.advance(1)
    sender.study(priority="STAT")
    assert sender.priorities == [Priority.ROUTINE, Priority.URGENT]


def test_urgent_studies_are_closed_and_routed_first(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    sender = Sender(with_sections(context, **STAT), clock, ct)
    for priority in ("ROUTINE", "ROUTINE", "STAT"):
        sender.study(priority=priority)
    clock.advance(60)
    completion = Completion(sender.node, sender.arrivals)
    assert completion.sweep() == pytest.approx(LOOK_SECONDS)
    assert sender.closed == [3]
    assert sender.routes() == ["3:1"]
    clock.advance(2 * HOLD_SECONDS)  # the urgent one holds others up no longer
    completion.sweep()
    assert sender.closed == [3, 1, 2]
    assert sender.routes() == ["1:1", "2:1"]


@pytest.mark.parametrize("kind", [TaskKind.ROUTE, TaskKind.ANALYSE, TaskKind.DELIVER])
def test_other_studies_are_closed_when_the_steps_of_the_urgent_one_are_done(
    context: FlowContext, clock: ManualClock, ct: Dataset, kind: TaskKind
) -> None:
    sender = Sender(with_sections(context, **STAT), clock, ct)
    for _ in range(2):
        sender.study()
    with sender.node.write() as transaction:
        sender.node.engine.enqueue(transaction, kind, "urgent", Priority.URGENT)
    clock.advance(60)
    with sender.node.write() as transaction:
        sender.node.engine.enqueue(transaction, kind, "another", Priority.URGENT)
    completion = Completion(sender.node, sender.arrivals)
    completion.sweep()
    assert sender.closed == []
    assert sender.node.engine.drain(lambda *_: None, (kind,)) == 2
    completion.sweep()
    assert sender.closed == [1, 2]


def test_an_urgent_study_is_closed_before_those_that_are_being_closed(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    timing = Timing(release_seconds=0, modality={}).model_dump()
    sender = Sender(with_sections(context, study=timing, **STAT), clock, ct)

    class Busy(Arrivals):
        """While the first of many studies is closed, an urgent one arrives."""

        def due(self, *arguments: Any, **others: Any) -> Any:
            if sender.number == 3:
                sender.study(priority="STAT")
            return super().due(*arguments, **others)

    sender.arrivals = Busy()
    for _ in range(3):
        sender.study()
    completion = Completion(sender.node, sender.arrivals)
    completion.sweep()
    assert sender.closed == [1, 4]
    clock.advance(2 * HOLD_SECONDS)
    completion.sweep()
    assert sender.closed == [1, 4, 2, 3]


def test_others_are_not_even_looked_at_meanwhile(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    """With many studies that would take the processor from the steps of the urgent one."""
    looked_at: list[int] = []

    class Watched(Arrivals):
        def due(self, revision: Revision, *arguments: Any, **others: Any) -> Any:
            looked_at.append(revision[0])
            return super().due(revision, *arguments, **others)

    sender = Sender(with_sections(context, **STAT), clock, ct)
    sender.arrivals = Watched()
    for priority in ("ROUTINE", "STAT", "ROUTINE", "STAT"):
        sender.study(priority=priority)
    clock.advance(60)
    completion = Completion(sender.node, sender.arrivals)
    for _ in range(3):
        assert completion.sweep() == pytest.approx(LOOK_SECONDS)
    assert sender.closed == [2, 4]
    assert set(looked_at) == {2, 4}
    clock.advance(2 * HOLD_SECONDS)
    completion.sweep()
    assert sender.closed == [2, 4, 1, 3]


def test_a_lost_route_keeps_its_priority(
    context: FlowContext, clock: ManualClock, ct: Dataset
) -> None:
    sender = Sender(with_sections(context, **STAT), clock, ct)
    sender.study()
    sender.study(priority="STAT")
    clock.advance(60)
    completion = Completion(sender.node, sender.arrivals)
    completion.sweep()
    clock.advance(2 * HOLD_SECONDS)
    completion.sweep()
    with sender.node.write() as transaction:
        transaction.execute(sa.delete(tasks.Task))
    sweep(sender.node, LeaseWatch())
    assert sender.routes() == ["2:1", "1:1"]


def test_a_delivery_that_waits_for_its_rate_gives_way_but_not_again_and_again() -> None:
    limits = DestinationLimits()
    served = []
    assert limits.begin("archive", "routine", 1)
    at_hand = "routine"
    for number in range(9):
        urgent = f"urgent {number}"
        assert not limits.begin("archive", urgent, 1, Priority.URGENT)
        priority = Priority.ROUTINE if at_hand == "routine" else Priority.URGENT
        if not limits.gives_way("archive", at_hand, priority):
            served.append(at_hand)
        following = limits.end("archive", at_hand)
        assert following is not None
        assert limits.begin("archive", following, 1)
        at_hand = following
    assert served[:4] == ["urgent 0", "urgent 1", "urgent 2", "urgent 3"]
    assert served[4] == "routine"
