"""Peers that are slow on purpose, and the crowd at the door."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.net.scp import admission
from tests import net_peer as net
from tests.net_peer import Peer, data_pdu, fragment, pdu, request

PROVIDER = 2


def drip(peer: Peer, data: bytes, pause: float, stop: threading.Event) -> None:
    for byte in data:
        if stop.wait(pause):
            return
        try:
            peer.send(bytes((byte,)))
        except OSError:
            return


@pytest.mark.parametrize("data", [b"", b"\x01", request()[:100]], ids=["silent", "byte", "half"])
def test_no_request_in_time(tmp_path: Path, data: bytes) -> None:
    with net.running(tmp_path, net.QUICK) as node:
        start = time.monotonic()
        with node.connect() as peer:
            peer.send(data)
            assert peer.aborted() == (PROVIDER, 0)
        assert time.monotonic() - start > 0.9


def test_dripping_does_not_extend_the_request(tmp_path: Path) -> None:
    stop = threading.Event()
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        dripping = threading.Thread(target=drip, args=(peer, request(), 0.05, stop))
        dripping.start()
        kind, _ = peer.pdu()
        assert kind == net.ABORT
        stop.set()
        dripping.join()


def test_dripping_does_not_extend_a_pdu(tmp_path: Path) -> None:
    stop = threading.Event()
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        peer.associate()
        data = data_pdu(fragment(1, 3, net.store_command()), fragment(1, 0, bytes(5000)))
        dripping = threading.Thread(target=drip, args=(peer, data, 0.01, stop))
        dripping.start()
        kind, _ = peer.pdu()
        assert kind == net.ABORT
        stop.set()
        dripping.join()
        assert net.eventually(lambda: node.recorder.outcomes() == ["expired"])
        assert node.recorder.leftovers() == []


@pytest.mark.parametrize(
    "small",
    [b"", data_pdu(fragment(1, 1, b"")), data_pdu(fragment(1, 1, b"abc"))],
    ids=["silence", "empty fragments", "crumbs"],
)
def test_idle_association(tmp_path: Path, small: bytes) -> None:
    """Neither silence nor crumbs keep an association that carries no message."""
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        start = time.monotonic()
        peer.associate()
        peer.sock.settimeout(0.1)
        while time.monotonic() - start < net.PATIENCE:
            try:
                kind, _ = peer.pdu()
            except TimeoutError:
                peer.send(small)
            else:
                break
        assert kind == net.ABORT
        assert time.monotonic() - start > 1.4
        assert net.eventually(lambda: node.recorder.outcomes() == ["expired"])


def test_messages_keep_an_association(tmp_path: Path) -> None:
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        peer.associate()
        for _ in range(6):
            time.sleep(0.3)
            assert peer.echo() == 0
        peer.release()


def test_slow_handler_is_not_the_peers_fault(tmp_path: Path) -> None:
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        node.recorder.before_part = lambda: time.sleep(2.0)
        peer.associate()
        assert peer.store() == 0
        peer.release()


def test_peer_that_reads_no_answer(tmp_path: Path) -> None:
    """Its echoes fill both buffers; then the deadline for our own sending counts."""
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        peer.associate()
        echo = data_pdu(fragment(3, 3, net.echo_command())) * 1000
        peer.sock.settimeout(3)
        with pytest.raises(OSError):  # noqa: PT011, PT012 - reset, broken pipe or timeout
            for _ in range(10_000):
                peer.send(echo)
        assert net.eventually(lambda: node.recorder.outcomes() in (["expired"], ["lost"]))


def test_unread_goodbye(tmp_path: Path) -> None:
    """A peer that never closes is left alone after the release."""
    with net.running(tmp_path, net.QUICK) as node, node.connect() as peer:
        peer.associate()
        peer.send(pdu(5, bytes(4)))
        assert peer.pdu()[0] == net.RELEASE_RP
        assert peer.closed()


def test_hundred_strangers_keep_nobody_out(tmp_path: Path) -> None:
    settings = replace(net.PATIENT, max_pending=40, max_associations=4)
    with net.running(tmp_path, settings) as node:
        for index in range(100):
            node.connect().send(request()[: index % 70])
        with node.connect() as peer:
            peer.associate()
            assert peer.store() == 0
            peer.release()


def test_the_oldest_stranger_goes_first(tmp_path: Path) -> None:
    settings = replace(net.SETTINGS, max_pending=3)
    with net.running(tmp_path, settings) as node:
        peers = [node.connect() for _ in range(3)]
        time.sleep(1.1)
        peers.append(node.connect())
        assert peers[0].aborted() == (PROVIDER, 0)
        peers[1].associate()
        peers[3].associate()


def test_a_burst_is_no_crowd_of_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_YOUNG_SECONDS", 600.0)
    settings = replace(net.SETTINGS, max_pending=3)
    with net.running(tmp_path, settings) as node:
        peers = [node.connect() for _ in range(11)]
        for peer in peers:
            peer.associate()


def test_associations_beyond_the_cap(tmp_path: Path) -> None:
    settings = replace(net.SETTINGS, max_associations=2)
    with net.running(tmp_path, settings) as node:
        first, second, third = (node.connect() for _ in range(3))
        first.associate()
        second.associate()
        third.send(request())
        kind, body = third.pdu()
        assert (kind, tuple(body[1:])) == (net.RJ, (2, 3, 2))
        first.release()
        with node.connect() as fourth:
            fourth.associate()


def test_a_cap_for_each_address(tmp_path: Path) -> None:
    settings = replace(net.SETTINGS, max_associations=9, max_associations_per_peer=1)
    with net.running(tmp_path, settings) as node, node.connect() as first, node.connect() as second:
        first.associate()
        second.send(request())
        assert second.pdu()[0] == net.RJ


def test_a_rate_for_each_address(tmp_path: Path) -> None:
    settings = replace(net.SETTINGS, associations_per_minute=3)
    with net.running(tmp_path, settings) as node:
        for _ in range(3):
            with node.connect() as peer:
                peer.associate()
                peer.release()
        with node.connect() as peer:
            peer.send(request())
            kind, body = peer.pdu()
            assert (kind, tuple(body[1:])) == (net.RJ, (2, 3, 2))
