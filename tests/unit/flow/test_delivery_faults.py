"""Results that cannot be read, and archives that refuse for a while: time decides."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import DeliveryState, JobState
from pacs_ai.files import IncomingFile
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import operator
from pacs_ai.store.schema import Delivery
from pacs_ai.store.spool import Spool
from tests.archive import Archive, archive
from tests.unit.flow.analysed import Patient, on_a_node
from tests.unit.flow.faults import FAULTS, Fault, flipped, restore

HOUR = 3600.0


@pytest.fixture
def peer(free_port: Callable[[], int]) -> Iterator[Archive]:
    with archive(free_port(), 0) as one:
        yield one


@pytest.fixture
def patient(
    context: FlowContext,
    clock: ManualClock,
    send: Callable[..., StoreAnswer],
    ct: Dataset,
    peer: Archive,
) -> Patient:
    """An analysed study: a report and a capture wait for the archive."""
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock, port=peer.port)
    one.route()
    assert one.analyse().state == JobState.SUCCEEDED
    return one


def try_now(patient: Patient) -> list[str]:
    deliver(patient.context, pair_key(patient.job().id, "archive"))
    return [one.state for one in patient.deliveries()]


def retried(patient: Patient) -> list[str]:
    with patient.context.write() as transaction:
        for one in patient.deliveries():
            if one.state == DeliveryState.FAILED:
                row = transaction.get_one(Delivery, one.id)
                operator.retry_delivery(transaction, row)
    return try_now(patient)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_result_that_cannot_be_read_is_retried_then_failed_and_the_others_leave(
    patient: Patient, peer: Archive, fault: Fault
) -> None:
    report, capture = patient.results()
    file = patient.context.spool.path_of(report.path)
    content = file.read_bytes()
    fault(file)
    states = try_now(patient)
    assert states == ["WAITING", "STORED"]
    begin = patient.clock.monotonic()
    while states[0] == "WAITING":
        assert patient.deliveries()[0].error_code == "STORAGE"
        patient.wait()
        states = try_now(patient)
    assert states == ["FAILED", "STORED"]
    assert patient.deliveries()[0].error_code == "STORAGE"
    assert 30 < patient.clock.monotonic() - begin < 300
    assert peer.uids() == [capture.sop_instance_uid]
    restore(file, content)
    assert retried(patient) == ["STORED"] * 2


def test_a_result_with_one_changed_bit_fails_at_once_and_does_not_leave(
    patient: Patient, peer: Archive
) -> None:
    report, capture = patient.results()
    file = patient.context.spool.path_of(capture.path)
    content = file.read_bytes()
    flipped(file)
    assert try_now(patient) == ["STORED", "FAILED"]
    assert patient.deliveries()[1].error_code == "CORRUPTED"
    assert peer.uids() == [report.sop_instance_uid]
    restore(file, content)
    assert retried(patient) == ["STORED"] * 2


@pytest.mark.parametrize("status", [0x0110, 0x0122, 0x0211, 0xA700, 0xA900, 0xC000])
def test_an_archive_that_refuses_for_most_of_an_hour_gets_everything_by_itself(
    patient: Patient, peer: Archive, status: int
) -> None:
    peer.status = status
    begin = patient.clock.monotonic()
    tries = 0
    while patient.clock.monotonic() - begin < 0.9 * HOUR:
        assert try_now(patient) == ["WAITING"] * 2
        tries += 1
        patient.wait()
    assert tries < 30, "the pauses do not grow"
    peer.status = 0x0000
    assert try_now(patient) == ["STORED"] * 2


def test_what_is_refused_for_more_than_an_hour_is_failed_and_said(
    patient: Patient, peer: Archive
) -> None:
    peer.status = 0xA900
    begin = patient.clock.monotonic()
    while try_now(patient) == ["WAITING"] * 2:
        patient.wait()
    assert HOUR <= patient.clock.monotonic() - begin < 3 * HOUR
    for one in patient.deliveries():
        assert (one.state, one.error_code) == ("FAILED", "STORE_REFUSED")
        assert one.status_code == 0xA900
    peer.status = 0x0000
    assert retried(patient) == ["STORED"] * 2


def test_after_a_retry_by_hand_the_pauses_begin_anew(patient: Patient, peer: Archive) -> None:
    peer.status = 0xC000
    while try_now(patient) == ["WAITING"] * 2:
        patient.wait()
    assert retried(patient) == ["WAITING"] * 2
    due = [one.due_at for one in patient.deliveries()]
    assert all(one is not None and (one - patient.clock.now()).total_seconds() < 2 for one in due)


def test_after_a_retry_by_hand_one_failure_is_not_the_end(patient: Patient) -> None:
    """Time and attempts from before the retry do not count, however long the first try lasts."""
    peers = patient.context.config.peers
    brief = {"archive": peers["archive"].model_copy(update={"port": 1, "retry_hours": 0.001})}
    config = patient.context.config.model_copy(update={"peers": brief})
    hasty = replace(patient, context=replace(patient.context, config=config))
    while try_now(hasty) == ["WAITING"] * 2:
        hasty.wait()
    assert {one.error_code for one in hasty.deliveries()} == {"RETRIES_OVER"}
    with hasty.context.write() as transaction:
        for one in hasty.deliveries():
            operator.retry_delivery(transaction, transaction.get_one(Delivery, one.id))
    hasty.clock.advance(30)
    assert try_now(hasty) == ["WAITING"] * 2


class FullSpool(Spool):
    """Every write ends with ENOSPC, as on a disk without room."""

    def new_incoming(self, group: str = "") -> IncomingFile:
        incoming = super().new_incoming(group)
        os.close(incoming.fd)
        return IncomingFile(incoming.filename, os.open("/dev/full", os.O_RDWR))


def test_a_disk_that_is_full_while_results_are_written_costs_hours_and_no_result(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    assert send(ct).status == 0x0000
    one = on_a_node(context, clock)
    one.route()
    room = one.context
    one.context = replace(room, spool=FullSpool(room.spool.root, room.spool.node))
    begin = clock.monotonic()
    while clock.monotonic() - begin < 6 * HOUR:
        job = one.analyse()
        assert (job.state, job.error_code) == (JobState.WAITING, "NO_SPACE")
        one.wait()
    assert list(Path(room.spool.home, "tmp").iterdir()) == []
    one.context = room
    assert one.analyse().state == JobState.SUCCEEDED
    assert len(one.results()) == 2
