"""Command sets: sound, malformed and unknown ones (PS3.7 Section 9)."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import net_peer as net
from tests.net_peer import Node, command, data_pdu, fragment

STORE: dict[int, bytes | int | str] = {
    0x2: net.CT,
    0x100: 1,
    0x110: 7,
    0x700: 0,
    0x800: 1,
    0x1000: "1.2.3",
}


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with net.running(tmp_path) as node:
        yield node
    assert node.recorder.leftovers() == []


def changed(**changes: bytes | int | str | None) -> bytes:
    """A C-STORE command with some elements (named e0800 for 0x0800) changed or left out."""
    elements = dict(STORE)
    for name, value in changes.items():
        elements.pop(int(name[1:], 16), None)
        if value is not None:
            elements[int(name[1:], 16)] = value
    return command(elements)


@pytest.mark.parametrize(
    ("encoded", "status"),
    [
        pytest.param(changed(e1000=None), 0x0212, id="no instance"),
        pytest.param(changed(e0002=None), 0x0212, id="no class"),
        pytest.param(changed(e0800=0x101), 0x0212, id="no data set"),
        pytest.param(changed() + b"\0\0\x02\x10\xff\xff\0\0", 0x0212, id="element too long"),
        pytest.param(changed() + b"\x08\0\x02\x10\x02\0\0\0ab", 0x0212, id="foreign group"),
        pytest.param(changed() + b"\0\0", 0x0212, id="element cut off"),
        pytest.param(changed(e0100=0x20), 0x0211, id="C-FIND"),
        pytest.param(changed(e0100=0x21), 0x0211, id="C-MOVE"),
        pytest.param(changed(e0100=0x150), 0x0211, id="N-DELETE"),
        pytest.param(changed(e0100=0x7777), 0x0211, id="nothing known"),
        pytest.param(changed(e0100=0x130), 0x0211, id="N-ACTION on a storage context"),
    ],
)
def test_malformed_command_is_answered_at_once(node: Node, encoded: bytes, status: int) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, encoded)))
        response = peer.response()
        assert response[0x900] == struct.pack("<H", status)
        assert response[0x120] == b"\x07\0"
        assert struct.unpack("<H", response[0x100])[0] & 0x8000
        if b"\0\0\0\x08\x02\0\0\0\x01\x01" not in encoded:
            peer.send(data_pdu(fragment(1, 2, b"the data set, now")))
        assert peer.store() == 0
        peer.release()


@pytest.mark.parametrize(
    "uid", ["", "../../etc/passwd", "1.2.abc", "1..2", ".1", "1.", "1.2/3", "1" * 65, "1.2\n3"]
)
def test_instance_uid_that_is_none(node: Node, uid: str) -> None:
    with node.connect() as peer:
        peer.associate()
        assert peer.store(instance=uid) == 0x0117
        assert peer.store() == 0
        peer.release()
    assert len(node.recorder.received) == 1


def test_class_of_another_context(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        encoded = changed(e0002=net.MR)
        peer.send(data_pdu(fragment(1, 3, encoded), fragment(1, 2, b"abcd")))
        assert peer.status() == 0x0122
        peer.release()


@pytest.mark.parametrize("padding", ["", "\0", " ", "\0\0"])
@pytest.mark.parametrize("priority", [0, 2, 77, None])
def test_tolerated(node: Node, padding: str, priority: int | None) -> None:
    encoded = changed(e1000=f"1.2.33{padding}", e0700=priority)
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, encoded), fragment(1, 2, b"abcd")))
        assert peer.status() == 0
        peer.release()
    assert node.recorder.received[0].sop_instance_uid == "1.2.33"


def test_leading_zeros_in_a_private_class(node: Node) -> None:
    uid = "1.2.276.007.3"
    with node.connect() as peer:
        peer.associate(contexts=[net.context(1, uid, [net.IMPLICIT])])
        encoded = changed(e0002=uid)
        peer.send(data_pdu(fragment(1, 3, encoded), fragment(1, 2, b"abcd")))
        assert peer.status() == 0
    assert node.recorder.received[0].sop_class_uid == uid


def test_leading_zeros_are_let_through(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        assert peer.store(instance="1.2.003") == 0
    assert node.recorder.received[0].sop_instance_uid == "1.2.003"


@pytest.mark.parametrize("length_element", [True, False])
def test_command_group_length_is_not_needed(node: Node, length_element: bool) -> None:
    encoded = changed() if length_element else changed()[12:]
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, encoded), fragment(1, 2, b"abcd")))
        assert peer.status() == 0


def test_cancel_and_stray_responses_are_ignored(node: Node) -> None:
    cancel = command({0x100: 0xFFF, 0x120: 1, 0x800: 0x101})
    stray = command({0x2: net.CT, 0x100: 0x8001, 0x120: 1, 0x800: 0x101, 0x900: 0})
    found = command({0x2: net.CT, 0x100: 0x8020, 0x120: 1, 0x800: 1, 0x900: 0xFF00})
    with node.connect() as peer:
        peer.associate()
        for _ in range(20):
            peer.send(data_pdu(fragment(1, 3, cancel)), data_pdu(fragment(1, 3, stray)))
        peer.send(data_pdu(fragment(1, 3, found), fragment(1, 2, b"identifier")))
        assert peer.store() == 0
        peer.release()
    assert len(node.recorder.received) == 1


def test_echo_on_any_context(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, net.echo_command(9))))
        response = peer.response()
        assert (response[0x100], response[0x120]) == (b"\x30\x80", b"\x09\0")
        assert response[0x2].rstrip(b"\0").decode() == net.VERIFICATION
        peer.release()


def test_requests_ahead_of_answers(node: Node) -> None:
    """A peer that does not wait is served in its order, one at a time."""
    with node.connect() as peer:
        peer.associate()
        stream = b""
        for number in range(1, 20):
            encoded = changed(e0110=number, e1000=f"1.2.{number}")
            stream += data_pdu(fragment(1, 3, encoded), fragment(1, 2, bytes(number)))
        peer.send(stream)
        answered = [struct.unpack("<H", peer.response()[0x120])[0] for _ in range(1, 20)]
        assert answered == list(range(1, 20))
        peer.release()


def test_answers_fit_the_peers_pdus(node: Node) -> None:
    with node.connect() as peer:
        peer.associate(user=net.user_information(max_length=50))
        peer.send(data_pdu(fragment(3, 3, net.echo_command())))
        encoded = b""
        while True:
            kind, body = peer.pdu()
            assert kind == net.P_DATA
            assert len(body) <= 50
            encoded += body[6:]
            if body[5] & 2:
                break
        assert net.decode(encoded)[0x900] == b"\0\0"
        peer.release()
