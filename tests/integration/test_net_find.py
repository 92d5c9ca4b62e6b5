"""C-FIND: what peers answer, and what a peer that lies, hangs or floods cannot do."""

from collections.abc import Iterator

import pytest
from pydicom import Dataset

from pacs_ai.errors import ContextRejected, PeerError, PeerUnreachable
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu import c_find, client
from pacs_ai.net.scu.client import PeerAddress
from tests import net_peer as net
from tests import odd_peer as odd
from tests.find_source import answering, match
from tests.net_peer import data_pdu, fragment
from tests.odd_peer import OddPeer

pytestmark = pytest.mark.integration

STUDY = {"StudyInstanceUID": "1.2.3", "NumberOfStudyRelatedInstances": ""}


def ask(peer: PeerAddress, *, timeout: float = 10, seconds: float = 60) -> list[Dataset]:
    with client.searching(peer, "AI_NODE", timeout, seconds) as search:
        return search.find("STUDY", STUDY)


def test_matches_come_with_their_values_query_by_query_on_one_association():
    asked = []

    def answer(identifier: Dataset) -> Iterator[tuple[int, Dataset | None]]:
        asked.append(identifier)
        for number in (1, 2):
            yield 0xFF00, match(SeriesInstanceUID=f"1.2.{number}", NumberOfSeriesRelatedInstances=7)

    with answering(answer) as peer, client.searching(peer, "AI_NODE") as search:
        for _ in range(2):
            found = search.find("SERIES", {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": ""})
            assert [str(one.SeriesInstanceUID) for one in found] == ["1.2.1", "1.2.2"]
            assert [one.NumberOfSeriesRelatedInstances for one in found] == [7, 7]
    assert asked[0].QueryRetrieveLevel == "SERIES"
    assert asked[0].StudyInstanceUID == "1.2.3"


def test_no_match_is_no_error():
    with answering(lambda _: iter(())) as peer:
        assert ask(peer) == []


def test_a_refused_query_is_an_error():
    with (
        answering(lambda _: iter([(0xA700, None)])) as peer,
        pytest.raises(PeerError, match="A700"),
    ):
        ask(peer)


def test_a_peer_without_queries_takes_no_context():
    with (
        odd.listening(OddPeer(answer=lambda _: odd.acceptance([odd.answered(1, 3)]))) as peer,
        pytest.raises(ContextRejected),
    ):
        ask(peer)


def pending(request: dict[int, bytes], context: int, dataset: bytes, *, last: int = 2) -> bytes:
    command = {
        0x2: request[0x2],
        0x100: 0x8020,
        0x120: request[0x110],
        0x800: 1,
        0x900: 0xFF00,
    }
    head = data_pdu(fragment(context, 3, net.command(command)))
    return head + data_pdu(fragment(context, last, dataset))


def test_a_match_that_cannot_be_read_is_an_error():
    cut_off = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff"  # a sequence without an end
    peer = OddPeer(respond=lambda _, context, request: pending(request, context, cut_off))
    with odd.listening(peer) as there, pytest.raises(ProtocolViolation):
        ask(there)


def test_a_peer_that_hangs_is_left_after_its_time():
    with odd.listening(OddPeer(respond=lambda *_: b"")) as peer, pytest.raises(PeerUnreachable):
        ask(peer, timeout=0.5)


def test_a_peer_that_sends_matches_for_ever_is_cut_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(c_find, "MOST_MATCHES", 50)
    endless = match(StudyInstanceUID="1.2.3")

    def answer(_: Dataset) -> Iterator[tuple[int, Dataset | None]]:
        while True:
            yield 0xFF00, endless

    with answering(answer) as peer, pytest.raises(PeerUnreachable, match="end of its matches"):
        ask(peer)


def test_no_query_begins_when_the_time_of_all_is_over():
    with answering(lambda _: iter(())) as peer, pytest.raises(PeerUnreachable, match="too long"):
        ask(peer, seconds=0)
