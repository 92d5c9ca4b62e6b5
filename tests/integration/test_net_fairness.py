"""One address cannot shut out the others, nor guess passcodes as fast as it likes."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pacs_ai.net.scp import admission
from pacs_ai.net.scp.associate_request import UserIdentity
from pacs_ai.net.scp.authentication import Attempts
from pacs_ai.net.scp.connection import Connection
from pacs_ai.net.users import Users
from tests import net_peer as net
from tests.net_peer import Node, Peer, data_pdu, fragment, item, request

pytestmark = pytest.mark.integration

GREEDY, OTHER, THIRD = "127.0.0.1", "127.0.0.2", "127.0.0.3"
SETTINGS = replace(net.SETTINGS, accept_from=("*",), max_associations=6)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with net.running(tmp_path, SETTINGS) as node:
        yield node


def connected(port: int, address: str) -> Peer:
    peer = Peer.__new__(Peer)
    peer.sock = socket.create_connection(("127.0.0.1", port), net.PATIENCE, (address, 0))
    return peer


def answer(peer: Peer) -> int:
    """Ask for an association; return the type of the PDU that comes back."""
    peer.send(request())
    kind, _ = peer.pdu()
    return kind


def filled(stack: ExitStack, node: Node, address: str = GREEDY) -> list[Peer]:
    """Take every place that there is."""
    peers = [stack.enter_context(connected(node.port, address)) for _ in range(6)]
    assert [answer(peer) for peer in peers] == [net.AC] * 6
    return peers


def test_a_newcomer_takes_the_place_of_the_longest_idle(node: Node) -> None:
    with ExitStack() as stack:
        peers = filled(stack, node)
        time.sleep(0.7)
        for peer in peers[:2]:  # these two have just said something
            assert peer.echo() == 0
        newcomers = [stack.enter_context(connected(node.port, OTHER)) for _ in range(4)]
        with capture_logs() as logs:
            assert answer(newcomers[0]) == net.AC
        (line,) = [one for one in logs if one["event"] == "association displaced"]
        assert (line["peer"], line["by"]) == (GREEDY, OTHER)
        assert peers[2].pdu() == (net.ABORT, bytes((0, 0, 2, 0)))
        assert newcomers[0].echo() == 0
        assert [answer(peer) for peer in newcomers[1:]] == [net.AC, net.AC, net.RJ]
        assert [peer.echo() for peer in (*peers[:2], peers[5], *newcomers[:3])] == [0] * 6
    assert net.eventually(lambda: node.recorder.outcomes().count("displaced") == 3)


def test_idle_times_begin_before_the_answer(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the node's threads may get no further than the write of their answers."""
    send, going_on = Connection.send, threading.Event()

    def send_and_wait(self: Connection, data: bytes, seconds: float) -> None:
        send(self, data, seconds)
        going_on.wait(net.PATIENCE)

    monkeypatch.setattr(Connection, "send", send_and_wait)
    with ExitStack() as stack:
        stack.callback(going_on.set)
        peers = filled(stack, node)
        assert answer(stack.enter_context(connected(node.port, OTHER))) == net.AC
        going_on.set()
        assert peers[0].pdu()[0] == net.ABORT


def test_an_address_that_has_none_is_let_in_at_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither new associations nor such as never rest keep the places."""
    monkeypatch.setattr(admission, "_IDLE_SECONDS", 600.0)
    with ExitStack() as stack:
        peers = filled(stack, node)
        assert [peer.echo() for peer in peers[1:]] == [0] * 5
        newcomer = stack.enter_context(connected(node.port, OTHER))
        assert answer(newcomer) == net.AC
        assert peers[0].pdu()[0] == net.ABORT
        assert [peer.echo() for peer in peers[1:]] == [0] * 5
        assert answer(stack.enter_context(connected(node.port, OTHER))) == net.RJ


def test_messages_that_do_not_move_keep_no_place(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_STALLED_SECONDS", 1.0)
    with ExitStack() as stack:
        peers = filled(stack, node)
        for number, peer in enumerate(peers):
            peer.send(data_pdu(fragment(1, 3, net.store_command(f"1.2.3.{number}"))))
        for _ in range(6):  # a few bytes are no sign of life
            time.sleep(0.2)
            for peer in peers:
                peer.send(data_pdu(fragment(1, 0, b"x" * 10)))
        assert answer(stack.enter_context(connected(node.port, OTHER))) == net.AC


def test_its_own_address_gains_nothing(node: Node) -> None:
    with ExitStack() as stack:
        filled(stack, node)
        time.sleep(0.7)
        assert answer(stack.enter_context(connected(node.port, GREEDY))) == net.RJ


def test_two_addresses_do_not_take_turns(node: Node) -> None:
    with ExitStack() as stack:
        filled(stack, node)
        time.sleep(0.7)
        others = [stack.enter_context(connected(node.port, OTHER)) for _ in range(3)]
        assert [answer(peer) for peer in others] == [net.AC] * 3
        time.sleep(0.7)
        for address in (GREEDY, OTHER):
            assert answer(stack.enter_context(connected(node.port, address))) == net.RJ
        assert answer(stack.enter_context(connected(node.port, THIRD))) == net.AC


def test_what_is_received_is_not_cut(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six senders in the middle of an instance: the newcomer has to come again."""
    monkeypatch.setattr(admission, "_STALLED_SECONDS", 600.0)
    with ExitStack() as stack:
        peers = filled(stack, node)
        for number, peer in enumerate(peers):
            peer.send(data_pdu(fragment(1, 3, net.store_command(f"1.2.3.{number}"))))
            peer.send(data_pdu(fragment(1, 0, b"x" * 5000)))
        time.sleep(0.7)
        assert answer(stack.enter_context(connected(node.port, OTHER))) == net.RJ
        for peer in peers:
            peer.send(data_pdu(fragment(1, 2, b"y" * 10)))
            assert peer.status() == 0


def test_a_full_node_still_answers_its_own_echo(node: Node) -> None:
    with ExitStack() as stack:
        filled(stack, node)
        peer = stack.enter_context(connected(node.port, GREEDY))
        verification = net.context(3, net.VERIFICATION, [net.IMPLICIT])
        peer.associate(calling="AI_NODE", contexts=[verification])
        assert peer.echo() == 0


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({"calling": "AI_NODE"}, True),
        ({"calling": "SECOND"}, True),
        ({"calling": "OTHER"}, False),
        ({"calling": "AI_NODE", "contexts": net.CONTEXTS}, False),
        ({"calling": "AI_NODE", "called": "OTHER"}, False),
    ],
)
def test_who_is_the_node_itself(tmp_path: Path, changes: dict[str, object], admitted: bool) -> None:
    closed = replace(net.SETTINGS, accept_from=("PACS",), users=lambda: Users({"a": "b"}))
    asked = {"contexts": [net.context(3, net.VERIFICATION, [net.IMPLICIT])], **changes}
    with net.running(tmp_path, closed) as node, node.connect() as peer:
        peer.send(request(**asked))  # type: ignore[arg-type]
        assert (peer.pdu()[0] == net.AC) == admitted


def login(name: bytes, passcode: bytes) -> bytes:
    fields = b"".join(len(one).to_bytes(2, "big") + one for one in (name, passcode))
    return net.user_information(item(0x58, b"\2\0" + fields))


def test_wrong_passcodes_are_slowed_and_logged(tmp_path: Path) -> None:
    settings = replace(SETTINGS, users=lambda: Users({"ct1": "s3cret"}))
    with net.running(tmp_path, settings) as node, capture_logs() as logs:
        start = time.monotonic()
        for _ in range(3):
            with connected(node.port, GREEDY) as peer:
                peer.send(request(user=login(b"ct1", b"canary")))
                assert peer.pdu()[0] == net.RJ
        assert time.monotonic() - start > 1.4
        with connected(node.port, OTHER) as peer:
            peer.send(request(user=login(b"ct1", b"s3cret")))
            assert peer.pdu()[0] == net.AC
        for name in (b"nobody\n\x1b[31m", b"\xff\xfe"):
            with connected(node.port, THIRD) as peer:
                peer.send(request(user=login(name, b"canary")))
                assert peer.pdu()[0] == net.RJ
    refused = [one for one in logs if one["event"] == "user refused"]
    assert {(one["peer"], one["user"], one["reason"]) for one in refused} == {
        (GREEDY, "ct1", "wrong passcode"),
        (THIRD, "nobody\\n\\x1b[31m", "unknown user"),
        (THIRD, "\\\\xff\\\\xfe", "unknown user"),
    }
    assert "canary" not in str(logs)


def test_guessing_on_many_connections_is_no_faster(tmp_path: Path) -> None:
    settings = replace(SETTINGS, users=lambda: Users({"ct1": "s3cret"}), acse_seconds=3)
    refused = []

    def guess() -> None:
        with connected(node.port, GREEDY) as peer:
            peer.send(request(user=login(b"ct1", b"wrong")))
            refused.append(peer.pdu()[0])

    with net.running(tmp_path, settings) as node:
        threads = [threading.Thread(target=guess) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert refused.count(net.RJ) <= 4
    assert refused.count(net.ABORT) == 12 - refused.count(net.RJ)


def test_pauses_grow_and_end() -> None:
    attempts, users = Attempts(), Users({"a": "b"})
    wrong, right = UserIdentity(2, b"a", b"x"), UserIdentity(2, b"a", b"b")
    now, pauses = 1000.0, []
    for _ in range(8):
        assert attempts.judge("here", wrong, users, now) == "wrong passcode"
        pause = attempts.judge("here", right, users, now)
        assert isinstance(pause, float)
        pauses.append(pause)
        now += pause
    assert pauses == [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert attempts.judge("there", wrong, users, now) == "wrong passcode"
    assert attempts.judge("here", right, users, now) == ""
    assert attempts.judge("here", wrong, users, now) == "wrong passcode"
    assert attempts.judge("here", right, users, now) == 0.5
    assert attempts.judge("here", None, users, now + 10_000) == "no user identity"
    assert attempts.judge("here", right, users, now + 10_000) == 0.5
