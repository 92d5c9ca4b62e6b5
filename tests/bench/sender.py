"""What the receivers are measured with: a sender that has everything encoded beforehand."""

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests import net_peer as net

HEADER = struct.pack("<HHL", 0x0008, 0x0060, 2) + b"CT"


@dataclass(frozen=True)
class Load:
    """What is sent: ``associations`` of ``instances`` of ``size`` bytes, ``at_once`` together."""

    name: str
    associations: int
    instances: int
    size: int
    at_once: int = 1


def element(size: int) -> bytes:
    return struct.pack("<HHL", 0x7FE0, 0x0010, size)


def connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def answer(sock: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxL", exactly(sock, 6))
    return kind, exactly(sock, length)


def peer_limit(body: bytes) -> int:
    """The maximum length in an A-ASSOCIATE-AC."""
    at = body.index(b"\x51\x00\x00\x04") + 4
    limit: int = struct.unpack_from(">L", body, at)[0]
    return min(limit or 1 << 20, 1 << 20)


def send_association(port: int, load: Load, first: int, pixels: bytes) -> None:
    """Send some instances on one association."""
    with connect(port) as sock:
        contexts = [net.context(1, net.CT, [net.IMPLICIT])]
        sock.sendall(net.request(called="ANY-SCP", calling="BENCH", contexts=contexts))
        kind, body = answer(sock)
        if kind != net.AC:
            raise ConnectionError(f"rejected: {body!r}")
        step = peer_limit(body) - 6
        for number in range(first, first + load.instances):
            send_instance(sock, f"1.2.3.{os.getpid()}.{number}", load.size, pixels, step)
        sock.sendall(net.pdu(5, bytes(4)))
        answer(sock)


def send_instance(sock: socket.socket, uid: str, size: int, pixels: bytes, step: int) -> None:
    """Send one instance in as few writes as there are megabytes, and wait for success."""
    command = net.data_pdu(net.fragment(1, 3, net.store_command(uid)))
    uid_element = struct.pack("<HHL", 8, 0x18, len(uid) + len(uid) % 2) + uid.encode()
    uid_element += b"\0" * (len(uid) % 2)
    class_element = struct.pack("<HHL", 8, 0x16, len(net.CT) + 1) + net.CT.encode() + b"\0"
    head = class_element + uid_element + HEADER + element(size)
    total = len(head) + size
    sent, pending = 0, [command]
    while sent < total:
        count = min(step, total - sent)
        last = 2 if sent + count == total else 0
        pending.append(struct.pack(">BxLLBB", 4, count + 6, count + 2, 1, last))
        body = count
        if sent == 0:
            pending.append(head)
            body -= len(head)
        pending.append(memoryview(pixels)[:body])  # type: ignore[arg-type]
        sent += count
        if sum(map(len, pending)) > 1 << 20 or len(pending) > 900 or sent == total:
            write_all(sock, pending)
            pending = []
    kind, response = answer(sock)
    if kind != net.P_DATA or net.decode(response[6:])[0x900] != b"\0\0":
        raise ConnectionError("not stored")


def write_all(sock: socket.socket, parts: list[bytes]) -> None:
    sent = sock.sendmsg(parts)
    if sent < sum(map(len, parts)):
        sock.sendall(b"".join(parts)[sent:])


def send_raw(port: int, load: Load, first: int, pixels: bytes) -> None:
    """The limit: length, bytes, one byte back."""
    with connect(port) as sock:
        for _ in range(first, first + load.instances):
            write_all(sock, [struct.pack(">Q", load.size)])
            for at in range(0, load.size, len(pixels)):
                write_all(sock, [pixels[: min(len(pixels), load.size - at)]])
            exactly(sock, 1)


Sender = Callable[[int, Load, int, bytes], None]
