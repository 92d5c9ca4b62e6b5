"""A study is routed for each name it was sent to, and for each sender, whatever the order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.config import Rule
from pacs_ai.domain import JobId, JobState, StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.complete import Reason, close
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import receive
from pacs_ai.flow.route import route
from pacs_ai.store import jobs, repeats, waiting_jobs
from pacs_ai.store.schema import Job, Study
from tests.unit.flow.conftest import received_of
from tests.unit.store.samples import MODEL

RULES = (
    Rule(name="lung", model="lung", when={"CalledAET": "LUNG"}),
    Rule(name="brain", model="brain", when={"CalledAET": "BRAIN"}),
    Rule(name="night", model="lung", when={"CalledAET": "LUNG", "CallingAET": "NIGHT"}),
)
MODELS = {name: replace(MODEL, name=name) for name in ("lung", "brain")}
Sending = tuple[str, str, Sequence[int]]
"""Calling title, called title, numbers of the instances."""


class Node:
    """Receives, closes and routes as the daemon would; jobs end as soon as they exist."""

    def __init__(self, context: FlowContext, ct: Dataset, rules: Sequence[Rule]) -> None:
        config = context.config.model_copy(update={"rules": tuple(rules)})
        self.context = replace(context, config=config)
        self.arrivals = Arrivals()
        self.ct = ct
        self.uid = str(ct.SOPInstanceUID)

    def send(self, calling: str, called: str, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.ct.SOPInstanceUID = f"{self.uid}.{number}"
            self.ct.file_meta.MediaStorageSOPInstanceUID = self.ct.SOPInstanceUID
            received = received_of(self.context, self.ct)
            association = replace(received.association, calling_aet=calling, called_aet=called)
            answer = receive(
                self.context, self.arrivals, replace(received, association=association)
            )
            assert answer.status == 0x0000

    def settle(self) -> None:
        study = self.study()
        if study.state == StudyState.RECEIVING:
            assert close(self.context, study, Reason("quiet", "quiet"), actor="test")
            route(self.context, MODELS, f"{study.id}:{study.revision}")
        with self.context.write() as transaction:
            for job_id in transaction.scalars(waiting_jobs.queued()).all():
                lease = jobs.claim(transaction, JobId(job_id), 60)
                assert lease is not None
                jobs.succeed(transaction, lease, [], "")

    def study(self) -> Study:
        with self.context.database.read() as session:
            return session.scalars(sa.select(Study)).one()

    def done(self) -> list[tuple[str, tuple[str, ...]]]:
        with self.context.database.read() as session:
            query = sa.select(Job).where(Job.state == JobState.SUCCEEDED).order_by(Job.created_at)
            return [(job.model_name, tuple(job.rules)) for job in session.scalars(query)]


@pytest.fixture
def make_node(context: FlowContext, ct: Dataset) -> Callable[..., Node]:
    return lambda rules=RULES: Node(context, ct, rules)


HALVES: list[Sending] = [("CT", "LUNG", (1, 2)), ("CT", "BRAIN", (3, 4))]
WHOLES: list[Sending] = [("CT", "LUNG", (1, 2)), ("CT", "BRAIN", (1, 2))]
OTHERS: list[Sending] = [("CT", "OTHER", (1, 2)), ("CT", "LUNG", (1, 2)), ("CT", "BRAIN", (2,))]


@pytest.mark.parametrize("sendings", [HALVES, WHOLES, OTHERS], ids=["halves", "wholes", "others"])
@pytest.mark.parametrize("between", [True, False], ids=["later", "at once"])
def test_each_called_title_is_routed_whatever_the_order(
    make_node: Callable[..., Node], sendings: list[Sending], between: bool
):
    for order in permutations(range(len(sendings))):
        node = make_node()
        node.ct.StudyInstanceUID = "1.2.3"
        with node.context.write() as transaction:
            for table in reversed(Study.metadata.sorted_tables):
                if table.name != "meta":
                    transaction.execute(sa.delete(table))
        for index in order:
            node.send(*sendings[index])
            if between:
                node.settle()
        node.settle()
        assert {model for model, _ in node.done()} == {"lung", "brain"}, order


def test_a_repeat_to_the_same_title_by_the_same_sender_does_nothing(
    make_node: Callable[..., Node],
):
    node = make_node()
    node.send("CT", "LUNG", (1, 2))
    node.settle()
    node.send("CT", "LUNG", (1, 2))
    assert (node.study().state, node.study().revision) == (StudyState.ROUTED, 1)


def test_a_repeat_that_no_rule_asks_for_is_noted_and_does_nothing(make_node: Callable[..., Node]):
    node = make_node()
    node.send("CT", "LUNG", (1, 2))
    node.settle()
    node.send("ARCHIVE", "OTHER", (1,))
    assert (node.study().state, node.study().revision) == (StudyState.ROUTED, 1)
    with node.context.database.read() as session:
        found = repeats.senders(session, node.study().id)
    assert [(one.calling_aet, one.called_aet, one.instances) for one in found] == [
        ("CT", "LUNG", 2),
        ("ARCHIVE", "OTHER", 1),
    ]


def test_a_model_does_not_look_twice_for_the_same_rules(make_node: Callable[..., Node]):
    node = make_node()
    node.send("CT", "LUNG", (1, 2))
    node.settle()
    node.send("CT", "BRAIN", (1, 2))
    node.settle()
    assert node.done() == [("lung", ("lung",)), ("brain", ("brain",))]
    with node.context.database.read() as session:
        assert {job.revision for job in session.scalars(sa.select(Job))} == {2}


def test_another_rule_of_the_same_model_is_served_too(make_node: Callable[..., Node]):
    node = make_node()
    node.send("CT", "LUNG", (1, 2))
    node.settle()
    node.send("NIGHT", "LUNG", (1,))
    node.settle()
    assert node.done() == [("lung", ("lung",)), ("lung", ("lung", "night"))]


def test_all_conditions_hold_for_one_way_of_one_instance(make_node: Callable[..., Node]):
    """Sent by NIGHT to BRAIN and by CT to LUNG is not sent by NIGHT to LUNG."""
    node = make_node()
    node.send("CT", "LUNG", (1,))
    node.send("NIGHT", "BRAIN", (1, 2))
    node.settle()
    assert sorted(node.done()) == [("brain", ("brain",)), ("lung", ("lung",))]


def test_a_variant_is_an_arrival_too(make_node: Callable[..., Node]):
    node = make_node()
    node.send("CT", "LUNG", (1,))
    node.settle()
    node.ct.StationName = "ROUTER"
    node.send("CT", "BRAIN", (1,))
    node.settle()
    assert {model for model, _ in node.done()} == {"lung", "brain"}


def test_a_late_instance_after_a_repeat_is_looked_at(make_node: Callable[..., Node]):
    node = make_node()
    node.send("CT", "LUNG", (1,))
    node.settle()
    node.send("CT", "BRAIN", (1,))
    node.send("CT", "LUNG", (2,))
    node.settle()
    assert sorted(node.done()) == [
        ("brain", ("brain",)),
        ("lung", ("lung",)),
        ("lung", ("lung",)),
    ]
