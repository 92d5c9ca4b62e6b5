"""Starting and stopping the listener."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.errors import ConfigError, StateError
from pacs_ai.net.scp.server import StorageServer
from tests import net_peer as net
from tests.net_peer import Recorder, data_pdu, fragment


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with net.running(tmp_path) as node:
        second = StorageServer(replace(net.SETTINGS, port=node.port), Recorder(tmp_path))
        with pytest.raises(ConfigError, match=str(node.port)):
            second.start()
        second.stop(1)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host.", "::ffff:999"])
def test_an_address_that_is_not_ours(tmp_path: Path, host: str) -> None:
    server = StorageServer(replace(net.SETTINGS, host=host), Recorder(tmp_path))
    with pytest.raises(ConfigError):
        server.start()


def test_started_twice_and_stopped_twice(tmp_path: Path) -> None:
    server = StorageServer(net.SETTINGS, Recorder(tmp_path))
    server.stop(1)
    with pytest.raises(StateError):
        assert server.port
    server.start()
    assert server.associations == 0
    with pytest.raises(StateError):
        server.start()
    server.stop(1)
    server.stop(1)


def test_again_on_the_same_port(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Connections of the one before still wait in the system for their last packets."""
    settings = replace(net.SETTINGS, port=free_port())
    for _ in range(3):
        with net.running(tmp_path, settings) as node, node.connect() as peer:
            peer.associate()
            assert peer.echo() == 0


def test_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with net.running(tmp_path, replace(net.SETTINGS, host="::1")) as node:
        peer = net.Peer.__new__(net.Peer)
        peer.sock = socket.create_connection(("::1", node.port), 5)
        with peer:
            peer.associate()
            peer.release()
        assert node.recorder.opened_for[0].peer_ip == "::1"


def test_several_processes_on_one_port(tmp_path: Path, free_port: Callable[[], int]) -> None:
    settings = replace(net.SETTINGS, port=free_port(), reuse_port=True)
    first = StorageServer(settings, Recorder(tmp_path))
    second = StorageServer(settings, Recorder(tmp_path))
    first.start()
    second.start()
    assert first.port == second.port
    first.stop(1)
    second.stop(1)


def test_stop_lets_a_message_end(tmp_path: Path) -> None:
    with net.running(tmp_path) as node:
        busy, idle, pending = (node.connect() for _ in range(3))
        busy.associate()
        idle.associate()
        busy.send(data_pdu(fragment(1, 3, net.store_command()), fragment(1, 0, b"begun ")))
        assert net.eventually(lambda: len(node.recorder.leftovers()) == 1)
        stopping = threading.Thread(target=node.server.stop, args=(5,))
        stopping.start()
        assert idle.aborted() == (2, 0)
        assert pending.aborted() == (2, 0)
        busy.send(data_pdu(fragment(1, 2, b"ended.")))
        assert busy.status() == 0
        assert busy.aborted() == (2, 0)
        stopping.join(5)
        assert not stopping.is_alive()
        assert node.recorder.datasets["1.2.3"] == b"begun ended."
        assert node.recorder.outcomes() == ["stopped", "stopped"]
        with pytest.raises(ConnectionRefusedError):
            net.Peer(node.port_was)


def test_stop_cuts_what_does_not_end(tmp_path: Path) -> None:
    with net.running(tmp_path, net.PATIENT) as node, node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, net.store_command())))
        assert net.eventually(lambda: len(node.recorder.leftovers()) == 1)
        start = time.monotonic()
        node.server.stop(0.3)
        assert time.monotonic() - start < net.SOON
        assert peer.aborted() == (2, 0)
        assert node.recorder.leftovers() == []


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_signal_stops_a_process_at_once(tmp_path: Path, free_port: Callable[[], int]) -> None:
    """As the daemon does it: threads of associations do not keep a process alive."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.receivers", str(port), str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    assert net.eventually(lambda: listens(port))
    with net.Peer(port) as peer:
        peer.associate(called="ANY-SCP")
        process.send_signal(signal.SIGTERM)
        assert process.wait(net.PATIENCE) == 0
