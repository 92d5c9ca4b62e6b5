"""Faults on the wire and what is answered (PS3.8): every one within its time, none kept."""

import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import net_peer as net
from tests.net_peer import Node, data_pdu, fragment, item, pdu, request

PROVIDER = 2
UNRECOGNIZED, UNEXPECTED, INVALID, UNSPECIFIED = 1, 2, 6, 0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    settings = replace(net.PATIENT, max_instance=100_000, max_pdu=16384)
    with net.running(tmp_path, settings) as node:
        yield node
        with node.connect() as peer:
            peer.associate()
            assert peer.echo() == 0
            peer.release()
    assert node.recorder.leftovers() == []
    assert len(node.recorder.opened_for) == len(node.recorder.closed_with)


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"called": "OTHER"}, (1, 1, 7)),
        ({"called": ""}, (1, 1, 7)),
        ({"calling": ""}, (1, 1, 3)),
        ({"calling": "A\\B"}, (1, 1, 3)),
        ({"calling": "A\nB"}, (1, 1, 3)),
        ({"called": "ai_node"}, (1, 1, 7)),
        ({"version": 2}, (1, 2, 2)),
        ({"application": item(0x10, b"1.2.3")}, (1, 1, 2)),
        ({"application": b""}, (1, 1, 2)),
    ],
)
def test_rejected(node: Node, changes: dict[str, object], answer: tuple[int, int, int]) -> None:
    with node.connect() as peer:
        peer.send(request(**changes))  # type: ignore[arg-type]
        kind, body = peer.pdu()
        assert (kind, tuple(body[1:])) == (net.RJ, answer)
        peer.sock.shutdown(socket.SHUT_WR)
        assert peer.closed()
    assert node.recorder.opened_for == []


TOO_LONG = struct.pack(">BxL", 4, 16384 + (64 << 10) + 1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(pdu(9, b"abcd"), UNRECOGNIZED, id="unknown type"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", UNRECOGNIZED, id="another protocol"),
        pytest.param(pdu(4, bytes(6)), UNEXPECTED, id="data before association"),
        pytest.param(pdu(5, bytes(4)), UNEXPECTED, id="release before association"),
        pytest.param(pdu(2, bytes(68)), UNEXPECTED, id="acceptance of nothing"),
        pytest.param(struct.pack(">BxL", 1, (1 << 20) + 1), INVALID, id="request too long"),
        pytest.param(struct.pack(">BxL", 1, 0xFFFFFFFF), INVALID, id="request of 4 GiB"),
        pytest.param(pdu(1, bytes(67)), INVALID, id="request too short"),
        pytest.param(request(contexts=[]), INVALID, id="no context"),
        pytest.param(
            request(contexts=[net.context(2, net.CT, [net.IMPLICIT])]), INVALID, id="even"
        ),
        pytest.param(
            request(contexts=[net.context(0, net.CT, [net.IMPLICIT])]), INVALID, id="zero"
        ),
        pytest.param(request(contexts=[net.context(1, net.CT, [])]), INVALID, id="no syntax"),
        pytest.param(request(contexts=[net.CONTEXTS[0]] * 2), INVALID, id="context id twice"),
        pytest.param(request(user=net.user_information() * 2), INVALID, id="user items twice"),
        pytest.param(
            request(application=item(0x10, net.APPLICATION_CONTEXT.encode()) * 2),
            INVALID,
            id="application context twice",
        ),
        pytest.param(request(user=struct.pack(">BxH", 0x50, 500)), INVALID, id="item too long"),
        pytest.param(request(user=b"\x50\0\0"), INVALID, id="item cut off"),
        pytest.param(request(user=item(0x50, item(0x51, b"ab"))), INVALID, id="maximum length"),
        pytest.param(request(user=item(0x50, item(0x54, b"\0\x09ab"))), INVALID, id="role"),
        pytest.param(request(user=item(0x50, item(0x58, b"\x02"))), INVALID, id="identity"),
        pytest.param(request(contexts=[item(0x20, b"\x01")]), INVALID, id="context cut off"),
    ],
)
def test_no_association(node: Node, data: bytes, reason: int) -> None:
    with node.connect() as peer:
        peer.send(data)
        assert peer.aborted() == (PROVIDER, reason)
    assert node.recorder.opened_for == []


COMMAND = fragment(1, 3, net.store_command())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(pdu(9, b""), UNRECOGNIZED, id="unknown type"),
        pytest.param(request(), UNEXPECTED, id="request again"),
        pytest.param(pdu(2, bytes(68)), UNEXPECTED, id="acceptance"),
        pytest.param(pdu(3, bytes(4)), UNEXPECTED, id="rejection"),
        pytest.param(pdu(6, bytes(4)), UNEXPECTED, id="release response"),
        pytest.param(pdu(5, bytes(8)), INVALID, id="long release"),
        pytest.param(TOO_LONG, INVALID, id="longer than announced"),
        pytest.param(struct.pack(">BxL", 5, 1 << 24), INVALID, id="endless release"),
        pytest.param(pdu(4, b""), INVALID, id="no fragment"),
        pytest.param(pdu(4, b"\0\0\0"), INVALID, id="fragment header cut off"),
        pytest.param(pdu(4, struct.pack(">LBB", 1, 1, 3)), INVALID, id="fragment too short"),
        pytest.param(pdu(4, struct.pack(">LBB", 99, 1, 3)), INVALID, id="fragment too long"),
        pytest.param(pdu(4, struct.pack(">LBB", 1 << 31, 1, 3)), INVALID, id="huge fragment"),
        pytest.param(data_pdu(fragment(1, 2, b"x")), INVALID, id="data without command"),
        pytest.param(data_pdu(fragment(7, 3, net.store_command())), INVALID, id="unknown context"),
        pytest.param(data_pdu(COMMAND, fragment(3, 2, b"x")), INVALID, id="context changes"),
        pytest.param(data_pdu(COMMAND, COMMAND), INVALID, id="command within data"),
        pytest.param(
            data_pdu(fragment(1, 1, b"\0\0"), fragment(3, 3, b"\0\0")), INVALID, id="command moves"
        ),
        pytest.param(data_pdu(COMMAND) + pdu(5, bytes(4)), UNEXPECTED, id="release within data"),
        pytest.param(data_pdu(fragment(1, 3, b"")), INVALID, id="empty command"),
        pytest.param(data_pdu(fragment(1, 3, b"\xff" * 40)), INVALID, id="garbage command"),
        pytest.param(
            data_pdu(fragment(1, 3, net.command({0x100: 1, 0x800: 1}))), INVALID, id="no message id"
        ),
        pytest.param(
            data_pdu(fragment(1, 3, net.command({0x100: 0x8FFF, 0x120: 1, 0x800: 0x101}))),
            INVALID,
            id="undefined command without status",
        ),
        pytest.param(
            data_pdu(fragment(1, 3, net.command({0x100: 0x8001, 0x120: 1, 0x900: b"\0"}))),
            INVALID,
            id="response with a status that is none",
        ),
        pytest.param(
            b"".join(data_pdu(fragment(1, 1, bytes(16000))) for _ in range(5)),
            UNSPECIFIED,
            id="endless command",
        ),
    ],
)
def test_association_aborted(node: Node, data: bytes, reason: int) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data)
        assert peer.aborted() == (PROVIDER, reason)
    assert net.eventually(lambda: node.recorder.outcomes() == ["violation"])


UNKNOWN_ODDITIES = [
    pytest.param(net.user_information(item(0x99, b"what") * 4000), id="unknown items"),
    pytest.param(net.user_information(b"".join([item(0x57, b"")] * 15000)), id="15000 items"),
    pytest.param(net.user_information(item(0x58, b"\xff\x00\0\0\0\0")), id="identity type 255"),
    pytest.param(
        net.user_information(item(0x58, b"\x02\x01\0\x02me\0\x02pw")), id="name and passcode"
    ),
    pytest.param(net.user_information(item(0x53, b"\0\0\0\0")), id="asynchronous operations"),
    pytest.param(net.user_information(item(0x56, b"\xff\xff")), id="extended negotiation"),
    pytest.param(net.user_information(max_length=0), id="unlimited PDUs"),
    pytest.param(net.user_information(max_length=1), id="PDUs of one byte"),
    pytest.param(item(0x50, b""), id="no user item"),
    pytest.param(b"", id="no user information"),
]


@pytest.mark.parametrize("user", UNKNOWN_ODDITIES)
def test_odd_request_is_served(node: Node, user: bytes) -> None:
    with node.connect() as peer:
        answer = peer.associate(user=user)
        assert b"\x53\0\0\x04" not in answer
        assert b"\x59\0" not in answer


def test_sixteen_thousand_syntaxes_get_an_answer(node: Node) -> None:
    many = item(0x20, bytes((1, 0, 0, 0)) + item(0x30, net.CT.encode()) + item(0x40, b"") * 16000)
    with node.connect() as peer:
        assert peer.associate(contexts=[many])[68 + 25 + 6] == 4


@pytest.mark.parametrize(
    "padding", [b"AI_NODE\0", b"  AI_NODE", b"AI_NODE \0 \0", b"AI_NODE\0\7\xffold"]
)
def test_any_padding_of_titles(node: Node, padding: bytes) -> None:
    with node.connect() as peer:
        answer = peer.associate(called=padding.ljust(16, b"\0"))
        assert answer[4:20] == padding.ljust(16, b"\0")
        peer.release()
    assert net.eventually(lambda: node.recorder.outcomes() == ["released"])
    assert node.recorder.opened_for[0].called_aet == "AI_NODE"


def test_too_large_an_instance(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(COMMAND))
        for _ in range(7):
            peer.send(data_pdu(fragment(1, 0, bytes(16000))))
        assert peer.status() == 0xA700
        assert peer.pdu() == (net.ABORT, bytes((0, 0, PROVIDER, UNSPECIFIED)))
    assert node.recorder.received == []


@pytest.mark.parametrize("size", [16000, 600], ids=["one fragment", "many fragments"])
def test_too_large_a_command(tmp_path: Path, size: int) -> None:
    """Where the message id has arrived, the sender is told why before the abort."""
    settings = replace(net.QUICK, max_command=4096)
    command = net.store_command() + struct.pack("<HHL", 0, 0x5000, 15000) + bytes(15000)
    with net.running(tmp_path, settings) as node, node.connect() as peer:
        peer.associate()
        for at in range(0, len(command), size):
            peer.send(data_pdu(fragment(1, 1, command[at : at + size])))
        assert peer.status() == 0xA700
        assert peer.pdu() == (net.ABORT, bytes((0, 0, PROVIDER, UNSPECIFIED)))
