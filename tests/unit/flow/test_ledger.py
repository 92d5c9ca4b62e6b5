"""The ledger: one chain on both databases, and every change of it is found."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from pacs_ai.errors import StorageError
from pacs_ai.flow.audit import note, seal
from pacs_ai.flow.audit.rejections import Rejections
from pacs_ai.flow.audit.seal import Sealer, prune
from pacs_ai.flow.audit.verify import verify
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.audit import list_ledger, verify_ledger
from pacs_ai.store import ledger_anchor
from pacs_ai.store.ledger_anchor import Anchor, alone, write_anchor
from pacs_ai.store.schema import Event, Job, LedgerLine
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Database
from pacs_ai.store.transition import record
from tests.unit.flow.ledger_node import node_on, study_delivered
from tests.unit.store import samples
from tests.unit.store.conftest import database, empty_database  # noqa: F401 - fixtures
from tests.unit.store.samples import NOW

LINES = 8


@pytest.fixture
def node(database: Database, tmp_path: Path) -> FlowContext:  # noqa: F811 - a fixture
    context = node_on(database, tmp_path)
    note.started(context, "node")
    study_delivered(context)
    return context


def messages(context: FlowContext) -> list[ET.Element]:
    with context.database.read() as session:
        texts = session.scalars(sa.select(LedgerLine.message).order_by(LedgerLine.number)).all()
    return [ET.fromstring(text) for text in texts]  # noqa: S314 - our own


def test_what_happened_becomes_messages_of_the_standard(node: FlowContext) -> None:
    Sealer(node, "node").all()
    events = [message.find("EventIdentification/EventID") for message in messages(node)]
    assert [event.get("csd-code") for event in events if event is not None] == [
        "110100",  # the node starts
        "110113",  # with its first configuration
        "110102",  # a study begins to arrive
        "110104",  # it has arrived
        "110103",  # it is routed
        "110103",  # to a model
        "110103",  # analysed
        "110104",  # and its report is delivered
    ]
    assert verify(node).problems == ()


def test_messages_say_who_and_from_where(node: FlowContext) -> None:
    with node.database.write("MODALITY", NOW) as transaction:
        by = replace(samples.sender("p2"), address="192.0.2.7")
        arrived = samples.arrival(9, study_instance_uid="1.2.9")
        samples.add_instance(transaction, arrived, by)
    with replace(node, user="alice").write("operator") as transaction:
        job = transaction.scalars(sa.select(Job)).one()
        record(transaction, "job", job.id, "FAILED", "QUEUED", note="retry")
    Sealer(node, "node").all()
    *_, delivered, begun, retried = messages(node)
    assert [one.get("NetworkAccessPointID") for one in people(delivered)] == [None, "10.1.1.1"]
    assert people(begun)[0].get("NetworkAccessPointID") == "192.0.2.7"
    assert people(begun)[0].get("UserID") == "MODALITY"
    assert [one.get("UserID") for one in people(retried)] == ["alice", "node"]
    ids = [one.get("ParticipantObjectID") for one in begun.iter("ParticipantObjectIdentification")]
    assert ids == ["p2", "1.2.9"]


def people(message: ET.Element) -> list[ET.Element]:
    return message.findall("ActiveParticipant")


def test_a_failure_is_no_success(node: FlowContext) -> None:
    with node.write() as transaction:
        record(transaction, "job", "x", "RUNNING", "FAILED", note="why")
        record(transaction, "association", "EVIL", "", "REJECTED", note="192.0.2.9: unknown")
    Sealer(node, "node").all()
    failed, rejected = (one[0] for one in messages(node)[-2:])
    assert (failed.get("EventOutcomeIndicator"), rejected.get("EventOutcomeIndicator")) == (
        "8",
        "4",
    )
    assert messages(node)[-1][1].get("NetworkAccessPointID") == "192.0.2.9"


def test_a_flood_of_rejections_is_counted_and_not_entered(node: FlowContext) -> None:
    rejections = Rejections(node)
    for _ in range(50):
        rejections.note("EVIL\0", "192.0.2.9", "calling_aet_not_recognised")
    node.clock.advance(61)  # type: ignore[attr-defined]
    rejections.note("EVIL", "192.0.2.9", "calling_aet_not_recognised")
    with node.database.read() as session:
        query = sa.select(Event.entity_id, Event.note).where(Event.entity == "association")
        entered = [tuple(row) for row in session.execute(query)]
    assert len(entered) == 11
    assert entered[0] == ("EVIL?", "192.0.2.9: calling_aet_not_recognised")
    assert entered[-1][1].endswith("; 40 more before")


def test_a_changed_section_of_the_configuration_is_named(node: FlowContext) -> None:
    note.started(node, "node")  # nothing changed: one line, that it started
    engine = node.config.engine.model_copy(update={"workers": 2})
    note.started(replace(node, config=node.config.model_copy(update={"engine": engine})), "node")
    Sealer(node, "node").all()
    texts = [one.findtext("EventIdentification/EventOutcomeDescription") for one in messages(node)]
    changes = [text for text in texts if text and text.startswith("changed: ")]
    assert len(changes) == 2
    assert changes[1].startswith("changed: engine; ")


def test_a_second_call_appends_nothing(node: FlowContext) -> None:
    assert Sealer(node, "node").all() > 0
    assert Sealer(node, "node").all() == 0


def test_two_processes_append_to_one_chain(node: FlowContext) -> None:
    def work(number: int) -> None:
        for step in range(10):
            with node.write() as transaction:
                record(transaction, "access", 1, "", "READ", note=f"{number} {step}")
            Sealer(node, f"node{number}").all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verify(node)
    assert found.problems == ()
    assert found.lines == LINES + 30


@pytest.mark.parametrize("empty_database", ["postgresql"], indirect=True)
def test_an_event_that_is_committed_late_gets_its_line(node: FlowContext) -> None:
    """PostgreSQL may show a lower id after a higher one; SQLite has one writer at a time."""
    sealer = Sealer(node, "node")
    sealer.all()
    with node.database.read() as session:
        highest = session.scalar(sa.select(sa.func.max(Event.id))) or 0
    values = {"entity": "access", "entity_id": "1", "from_state": "", "to_state": "READ"}
    for number in (highest + 2, highest + 1):
        with node.write() as transaction:
            transaction.add(Event(id=number, at=NOW, actor="x", note="", **values))
        assert sealer.all() == 1
    assert verify(node).problems == ()


def test_lines_that_are_too_old_go_and_the_rest_still_fits(node: FlowContext) -> None:
    Sealer(node, "node").all()
    with node.database.read() as session:
        last = session.get_one(LedgerLine, LINES)
    days = node.config.kept.ledger_days
    at = datetime.fromisoformat(f"{last.at}+00:00")
    prune(node, at + timedelta(days=days))
    found = verify(node)
    assert (found.problems, found.first, found.last) == ((), LINES, LINES)
    prune(node, at + timedelta(days=days * 2))  # the last line stays: the next is chained to it
    note.accessed(node, 1, "shown")
    Sealer(node, "node").all()
    found = verify(node)
    assert (found.problems, found.first, found.last) == ((), LINES, LINES + 1)


def test_two_that_write_do_not_set_the_anchor_back(
    node: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    Sealer(node, "node").all()
    note.accessed(node, 1, "shown")
    committed, pruned = threading.Event(), threading.Event()

    def late(root: Path, anchor: Anchor) -> None:
        committed.set()
        pruned.wait(1)  # in vain: who prunes waits for this
        write_anchor(root, anchor)

    monkeypatch.setattr(seal, "write_anchor", late)
    sealing = threading.Thread(target=Sealer(node, "node").all)
    sealing.start()
    assert committed.wait(60)
    monkeypatch.setattr(seal, "write_anchor", write_anchor)
    prune(node, node.now() + timedelta(days=node.config.kept.ledger_days * 2))
    pruned.set()
    sealing.join()
    found = verify(node)
    assert (found.problems, found.first, found.last) == ((), LINES + 1, LINES + 1)


def test_a_ledger_that_another_process_keeps_locked_is_an_error(
    node: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_anchor, "_LOCK_SECONDS", 0)
    sealer = Sealer(node, "node")
    with alone(node.spool.root), pytest.raises(StorageError, match="another process has held"):
        sealer.all()
    assert sealer.all() == LINES


def test_who_reads_the_ledger_is_in_it(node: FlowContext) -> None:
    records = list_ledger(node, Filter(limit=3))
    assert [record.number for record in records] == [8, 7, 6]
    verify_ledger(node)
    (used, listed) = list_ledger(node, Filter(limit=2))
    assert (used.event, used.description) == ("Audit Log Used", "8 lines verified")
    assert listed.description == "3 lines listed"
