"""0x0111 (duplicate SOP Instance): when it means that the archive holds the result."""

from collections.abc import Callable, Iterator

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobState, TaskKind
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.deliver import deliver
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.net.scu.client import PeerAddress
from tests import net_peer as net
from tests import odd_peer as odd
from tests.net_peer import data_pdu, fragment
from tests.unit.flow.analysed import Patient, on_a_node

LOST: dict[str, bytes | None] = {
    "closed": None,
    "aborted": net.pdu(net.ABORT, bytes((0, 0, 2, 0))),
    "nonsense": data_pdu(fragment(1, 3, b"nonsense")),
}


class Archive(odd.OddPeer):
    """Stores, loses as many first answers as it is told, and answers 0x0111 to repeats."""

    lost: bytes | None = None
    loses: int = 2
    holds: bool = True

    def answer_store(self, context: int, request: dict[int, bytes]) -> bytes | None:
        uid = request[0x1000].rstrip(b"\0").decode()
        status = 0x0111 if uid in self.stored or not self.holds else 0
        if uid not in self.stored:
            self.stored.append(uid)
            if len(self.stored) <= self.loses:
                return self.lost
        return data_pdu(fragment(context, 3, odd.response(request, status)))


@pytest.fixture
def peer() -> Archive:
    one = Archive()
    one.respond = Archive.answer_store  # type: ignore[assignment]
    return one


@pytest.fixture
def address(peer: Archive) -> Iterator[PeerAddress]:
    with odd.listening(peer) as where:
        yield where


Analysed = Callable[..., Patient]


@pytest.fixture
def analysed(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Analysed:
    """An analysed study: a report and a capture wait for the archive."""

    def make(**peer: object) -> Patient:
        assert send(ct).status == 0x0000
        one = on_a_node(context, clock, timeout_seconds=5, **peer)
        one.route()
        assert one.analyse().state == JobState.SUCCEEDED
        return one

    return make


def tries(patient: Patient, count: int) -> list[str]:
    for _ in range(count):
        deliver(patient.context, pair_key(patient.job().id, "archive"))
        patient.wait()
    return [one.state for one in patient.deliveries()]


@pytest.mark.parametrize("name", LOST)
def test_after_a_lost_answer_it_is_held(
    analysed: Analysed,
    peer: Archive,
    address: PeerAddress,
    name: str,
) -> None:
    peer.lost = LOST[name]
    patient = analysed(port=address.port)
    assert tries(patient, 1) == ["PENDING"] * 2
    assert [one.may_be_held for one in patient.deliveries()] == [True, False]
    assert tries(patient, 2) == ["STORED"] * 2
    for one in patient.deliveries():
        assert (one.status_code, one.error_code) == (0x0111, "")
        assert "answer did not come" in one.error_text
    assert peer.stored == [one.sop_instance_uid for one in patient.results()]


def test_after_a_crash_it_is_held(
    analysed: Analysed,
    peer: Archive,
    address: PeerAddress,
) -> None:
    """The node died after the archive had answered, and before it wrote that down."""
    peer.loses = 0
    patient = analysed(port=address.port)
    peer.stored += [one.sop_instance_uid for one in patient.results()]
    with patient.context.write() as transaction:
        for one in patient.deliveries():
            transaction.merge(one).may_be_held = True
    assert tries(patient, 1) == ["STORED"] * 2


def test_what_never_went_out_is_not_held(
    analysed: Analysed,
    peer: Archive,
    address: PeerAddress,
    free_port: Callable[[], int],
) -> None:
    """An archive that is down, then refuses all with 0x0111: FAILED in the end, with an alarm."""
    peer.holds, peer.loses = False, 0
    nobody = free_port()
    patient = analysed(port=nobody)
    assert tries(patient, 2) == ["PENDING"] * 2
    assert not any(one.may_be_held for one in patient.deliveries())
    patient = on_a_node(patient.context, patient.clock, port=address.port)
    states: set[str] = {"PENDING"}
    for _ in range(40):
        states = set(tries(patient, 1))
        if states == {"FAILED"}:
            break
    assert states == {"FAILED"}
    for one in patient.deliveries():
        assert (one.status_code, one.error_code) == (0x0111, "STORE_REFUSED")
        assert "already" in one.error_text


def test_commitment_is_asked_where_it_is_on(
    analysed: Analysed,
    peer: Archive,
    address: PeerAddress,
) -> None:
    peer.holds, peer.loses = False, 0
    patient = analysed(port=address.port, commitment=True)
    assert tries(patient, 1) == ["STORED"] * 2
    for one in patient.deliveries():
        assert "storage commitment" in one.error_text
    with patient.context.database.read() as session:
        assert patient.context.engine.existing(session, TaskKind.COMMIT)
