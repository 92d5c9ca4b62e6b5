"""A balancer in front of the listener names the sender: PROXY protocol, version 2."""

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.net.scp.proxy_header import SIGNATURE
from tests.net_peer import AC, QUICK, SETTINGS, Node, request, running
from tests.node import wait_for

HERE = "127.0.0.1"
BALANCED = replace(SETTINGS, balancers=(HERE,), accept_from=("PEER@10.*", "PEER@2001:*"))
HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen dicom
  bind 127.0.0.1:{port}
  server node 127.0.0.1:{node} send-proxy-v2
"""


def header(command: int, family: int, addresses: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(addresses).to_bytes(2, "big") + addresses


def ports(size: int) -> bytes:
    return bytes(size + 4)


V4 = header(0x21, 0x11, bytes((10, 1, 2, 3)) + ports(4))
V6 = header(0x21, 0x21, socket.inet_pton(socket.AF_INET6, "2001:db8::7") + ports(16))
EXTENDED = header(0x21, 0x11, bytes((10, 1, 2, 4)) + ports(4) + b"\x04\x00\x03abc")
OWN = header(0x20, 0x00, b"")
UNKNOWN = header(0x21, 0x00, b"")


def answer(node: Node, first: bytes) -> int | None:
    """Return the type of the PDU that a request gets behind a header; None if nothing comes."""
    peer = node.connect()
    peer.sock.sendall(first + request())
    got = peer.sock.recv(1)
    return got[0] if got else None


@pytest.mark.parametrize(
    ("first", "sender"), [(V4, "10.1.2.3"), (V6, "2001:db8::7"), (EXTENDED, "10.1.2.4")]
)
def test_who_is_named_is_the_caller(tmp_path: Path, first: bytes, sender: str) -> None:
    with running(tmp_path, BALANCED) as node:
        assert answer(node, first) == AC
        assert [one.peer_ip for one in node.recorder.opened_for] == [sender]


@pytest.mark.parametrize("first", [OWN, UNKNOWN])
def test_a_balancer_that_speaks_for_itself_is_the_caller(tmp_path: Path, first: bytes) -> None:
    with running(tmp_path, replace(BALANCED, accept_from=(f"PEER@{HERE}",))) as node:
        assert answer(node, first) == AC
        assert [one.peer_ip for one in node.recorder.opened_for] == [HERE]


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"PROXY TCP4 10.1.2.3 10.1.2.4 1 2\r\n",
        header(0x31, 0x11, bytes((10, 1, 2, 3)) + ports(4)),
        header(0x21, 0x11, bytes((10, 1))),
        SIGNATURE + bytes((0x21, 0x11, 0xFF, 0xFF)),
    ],
)
def test_without_a_sound_header_the_connection_is_closed(tmp_path: Path, first: bytes) -> None:
    with running(tmp_path, BALANCED) as node:
        with suppress(ConnectionResetError):
            assert answer(node, first) is None
        assert node.recorder.opened_for == []


def test_a_header_that_does_not_end_is_cut_off_at_the_deadline(tmp_path: Path) -> None:
    with running(tmp_path, replace(QUICK, balancers=(HERE,))) as node:
        peer = node.connect()
        peer.sock.sendall(V4[:20])
        assert peer.sock.recv(1) == b""


def test_others_than_balancers_may_name_nobody(tmp_path: Path) -> None:
    with running(tmp_path, replace(BALANCED, balancers=("10.0.0.0/8",))) as node:
        assert answer(node, V4) != AC
        assert node.recorder.opened_for == []


@contextmanager
def haproxy(tool: Callable[[str], Path], folder: Path, port: int, node: int) -> Iterator[None]:
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, node=node))
    balancer = subprocess.Popen([tool("haproxy"), "-db", "-f", config])
    try:
        wait_for(lambda: listens(port))
        yield
    finally:
        balancer.terminate()
        balancer.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HERE, port)) == 0


@pytest.mark.integration
def test_haproxy_names_the_sender(
    tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> None:
    folder, port = tmp_path / "received", free_port()
    folder.mkdir()
    settings = replace(BALANCED, accept_from=("PEER@127.0.0.5",))
    with running(folder, settings) as node, haproxy(tool, tmp_path, port, node.port):
        with socket.create_connection((HERE, port), 60, ("127.0.0.5", 0)) as sender:
            sender.sendall(request())
            assert sender.recv(1)[0] == AC
        wait_for(lambda: node.recorder.closed_with)
        assert [one.peer_ip for one in node.recorder.opened_for] == ["127.0.0.5"]
