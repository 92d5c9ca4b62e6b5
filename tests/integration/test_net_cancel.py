"""C-MOVE is cancelled: what the peer is told, and what happens if it takes no notice."""

import struct

import pytest

from pacs_ai.errors import PeerError, PeerUnreachable
from pacs_ai.net.scu import cancelling, client
from pacs_ai.net.scu.client import PeerAddress, Transferred
from tests import net_peer as net
from tests.odd_peer import OddPeer, listening

pytestmark = pytest.mark.integration

MOVE, CANCEL = 0x21, 0xFFF
PENDING, CANCELLED = 0xFF00, 0xFE00


def field(request: dict[int, bytes]) -> int:
    return int(struct.unpack("<H", request[0x100])[0])


def said(message_id: bytes, status: int) -> bytes:
    """Encode a response to the C-MOVE."""
    elements = {0x100: 0x8000 | MOVE, 0x120: message_id, 0x800: 0x101, 0x900: status}
    return net.data_pdu(net.fragment(1, 3, net.command(elements)))


def move(peer: PeerAddress) -> Transferred:
    return client.move_study(
        peer, "AI_NODE", "AI_NODE", "1.2.3", net.PATIENCE, unwanted=lambda: True
    )


def test_the_peer_is_told_which_request_is_not_wanted_any_more() -> None:
    requests: list[dict[int, bytes]] = []

    def respond(_: OddPeer, _context: int, request: dict[int, bytes]) -> bytes:
        requests.append(request)
        if field(request) == MOVE:
            return said(request[0x110], PENDING)
        return said(request[0x120], CANCELLED)

    with listening(OddPeer(respond=respond)) as peer, pytest.raises(PeerError, match="0xFE00"):
        move(peer)
    asked, cancelled = requests
    assert (field(asked), field(cancelled)) == (MOVE, CANCEL)
    assert cancelled.pop(0x0)  # the group length
    assert cancelled == {0x100: b"\xff\x0f", 0x120: asked[0x110], 0x800: b"\1\1"}


def test_a_peer_that_takes_no_notice_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "_END_SECONDS", 0.0)
    monkeypatch.setattr(cancelling, "_LOOK_SECONDS", 0.05)
    with (
        listening(OddPeer(respond=lambda *_: b"")) as peer,
        pytest.raises(PeerUnreachable, match="does not end what was cancelled"),
    ):
        move(peer)
