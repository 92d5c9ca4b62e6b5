"""Concurrency, rate and outage of a destination."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from pacs_ai.config import FolderPeer
from pacs_ai.config.peers import Peer
from pacs_ai.destinations.base import (
    DeliveryAnswer,
    DeliveryOutcome,
    MayLeave,
    OutgoingFile,
)
from pacs_ai.destinations.kinds import KINDS
from pacs_ai.domain import TaskKind
from pacs_ai.errors import PeerUnreachable
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver, probe
from pacs_ai.flow.destination_limits import FAILURES
from pacs_ai.flow.recover import LeaseWatch, sweep
from tests.node import wait_for
from tests.unit.flow.ready import Ready, another_job, ready


class GatePeer(Peer):
    """A destination that a test opens and closes."""

    kind: Literal["gate"] = "gate"

    @property
    def where(self) -> str:
        return "this test"


@dataclass
class Gate:
    """Counts what arrives; hangs while `open` is not set, is out of reach while `away`."""

    open: threading.Event = field(default_factory=threading.Event)
    away: bool = False
    tries: int = 0
    probes: int = 0
    inside: int = 0
    most_inside: int = 0

    def deliver(self, files: list[OutgoingFile], _may_leave: MayLeave) -> list[DeliveryOutcome]:
        self.tries += 1
        if self.away:
            error = PeerUnreachable("away")
            return [DeliveryOutcome(DeliveryAnswer.NOT_NOW, error)] * len(files)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.open.wait(60)
        self.inside -= 1
        return [DeliveryOutcome(DeliveryAnswer.STORED)] * len(files)

    def probe(self) -> None:
        self.probes += 1
        if self.away:
            raise PeerUnreachable("away")
        self.open.wait(60)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    one = Gate()
    monkeypatch.setitem(KINDS, GatePeer, lambda *_: one)
    yield one
    one.open.set()


def in_threads(patient: Ready, number: int, name: str = "gate") -> list[threading.Thread]:
    key = pair_key(patient.job, name)
    threads = [
        threading.Thread(target=deliver, args=(patient.context, key), daemon=True)
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    return threads


def test_a_delivery_without_a_place_comes_when_there_is_one(
    context: FlowContext, gate: Gate
) -> None:
    patient = ready(context, {"gate": GatePeer(concurrency=1)})
    patient.lose_tasks()
    (first,) = in_threads(patient, 1)
    wait_for(lambda: gate.inside == 1)
    key = pair_key("another", "gate")
    deliver(patient.context, key)
    assert patient.context.limits.turned_away() == {key}
    patient.lose_tasks()
    sweep(patient.context, LeaseWatch())
    assert patient.tasks(TaskKind.DELIVER) == []
    gate.open.set()
    first.join(60)
    assert patient.tasks(TaskKind.DELIVER) == [key]
    assert patient.context.limits.turned_away() == set()
    assert patient.states("gate") == ["STORED"] * 2


def test_one_that_hangs_delays_no_other(context: FlowContext, gate: Gate, tmp_path: Path) -> None:
    folder = FolderPeer(kind="folder", path=tmp_path)
    patient = ready(context, {"gate": GatePeer(concurrency=2), "folder": folder})
    in_threads(patient, 5)
    wait_for(lambda: gate.inside == 1)
    assert patient.deliver("folder") == ["STORED"] * 2
    assert gate.most_inside == 1


def test_a_destination_that_is_away_is_probed_and_not_tried(
    context: FlowContext, gate: Gate
) -> None:
    gate.away = True
    patient = ready(context, {"gate": GatePeer()})
    for _ in range(FAILURES + 4):
        assert set(patient.deliver("gate")) == {"WAITING"}
        patient.wait("gate")
    assert gate.tries == FAILURES
    attempts = {one.attempt for one in patient.rows("gate")}
    assert attempts == {FAILURES + 4}
    patient.deliver("gate")
    assert probe(patient.context) == 0
    gate.away = False
    gate.open.set()
    assert probe(patient.context) == 1
    assert patient.deliver("gate") == ["STORED"] * 2
    assert (gate.tries, gate.probes) == (FAILURES + 1, 2)


def test_a_probe_that_hangs_stops_no_other(
    context: FlowContext, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_ai.flow.deliver.PROBE_SECONDS", 0.5)
    gate.away = True
    path = tmp_path / "mount"
    peers = {"gate": GatePeer(), "folder": FolderPeer(kind="folder", path=path)}
    patient = ready(context, peers)
    patient.deliver("gate")
    patient.deliver("folder")
    gate.away = False
    path.mkdir()
    probe(patient.context)
    wait_for(lambda: patient.states("folder") == ["PENDING"] * 2)
    probe(patient.context)
    assert gate.probes == 1
    gate.open.set()
    wait_for(lambda: patient.states("gate") == ["PENDING"] * 2)


def test_files_leave_at_the_rate(context: FlowContext, gate: Gate) -> None:
    gate.open.set()
    patient = ready(context, {"gate": GatePeer(per_minute=240)})
    begin = time.monotonic()
    patient.deliver("gate")
    patient.context.limits.wait_turn("gate", 240, patient.context.stopping)
    assert time.monotonic() - begin >= 2 * 60 / 240
    patient.context.limits.count_sent("gate", 1, 1)
    patient.context.stopping.set()
    patient.context.limits.wait_turn("gate", 1, patient.context.stopping)


def test_a_destination_that_answers_probes_alone_gets_one_job(
    context: FlowContext, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "probe", lambda: None)
    gate.away = True
    patient = ready(context, {"gate": GatePeer()})
    other = another_job(patient, "gate")
    keys = [pair_key(job, "gate") for job in (patient.job, other)]
    for key in keys:
        deliver(patient.context, key)
    assert gate.tries == 2
    patient.lose_tasks()
    assert probe(patient.context) == 1
    assert patient.tasks(TaskKind.DELIVER) == keys[:1]
    deliver(patient.context, keys[0])
    assert patient.context.limits.outage("gate") is not None
    gate.away = False
    gate.open.set()
    patient.lose_tasks()
    probe(patient.context)
    deliver(patient.context, keys[0])
    assert keys[1] in patient.tasks(TaskKind.DELIVER)
