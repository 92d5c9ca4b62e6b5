"""What the receivers are measured with: a sender that has everything encoded beforehand."""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

from tests import net_peer as net

PIECE = 1 << 20
"""Most bytes of one write: what a sender would rather not cut any smaller."""
DRIP_BYTES, DRIP_SECONDS = 1024, 0.02
"""How the slow sender sends: 50 kB/s, like one at the end of a bad line."""
TITLE = "ANY-SCP"


@dataclass(frozen=True)
class Load:
    """What is sent: ``associations`` of ``instances`` of ``size`` bytes, ``at_once`` together."""

    name: str
    associations: int
    instances: int
    size: int
    at_once: int = 1

    @property
    def total(self) -> int:
        """Instances in all."""
        return self.associations * self.instances


@dataclass
class Material:
    """What instances are made of: random pixels, and UIDs that come only once."""

    pixels: bytes = field(default_factory=lambda: os.urandom(PIECE))
    numbers: Iterator[int] = field(default_factory=lambda: count(time.time_ns() // 1000))

    def uid(self) -> str:
        return f"1.2.3.{next(self.numbers)}"


Sender = Callable[[int, Load, Material], None]
"""Sends one association's worth of a load to a port."""


def element(tag: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


FILLER = element(0x00190010, b"BENCH") + b"".join(
    element(0x00191000 + number, b"1.2345678901234\\5") for number in range(100)
)
"""As many elements as a CT image has between its UIDs and its pixels."""


def header(instance: str, study: str, size: int) -> bytes:
    """All of a data set in Implicit VR Little Endian but its pixels."""
    elements = {
        0x00080016: net.CT.encode(),
        0x00080018: instance.encode(),
        0x00080060: b"CT",
        0x00100020: b"BENCH",
    }
    encoded = b"".join(element(tag, value) for tag, value in elements.items()) + FILLER
    encoded += element(0x0020000D, study.encode()) + element(0x0020000E, f"{study}.1".encode())
    return encoded + struct.pack("<HHL", 0x7FE0, 0x0010, size)


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
    return min(limit or PIECE, PIECE)


def associate(port: int, sop_class: str = net.CT) -> tuple[socket.socket, int]:
    """Open an association for one SOP class; return it with the largest fragment the peer takes."""
    sock = connect(port)
    contexts = [net.context(1, sop_class, [net.IMPLICIT])]
    sock.sendall(net.request(called=TITLE, calling="BENCH", contexts=contexts))
    kind, body = answer(sock)
    if kind != net.AC:
        sock.close()
        raise ConnectionError(f"rejected: {body!r}")
    return sock, peer_limit(body) - 6


def send_association(port: int, load: Load, material: Material) -> None:
    """Send some instances of one study on one association."""
    sock, step = associate(port)
    with sock:
        study = material.uid()
        for _ in range(load.instances):
            send_instance(sock, material.uid(), study, load.size, material.pixels, step)
        sock.sendall(net.pdu(5, bytes(4)))
        answer(sock)


def send_instance(
    sock: socket.socket, uid: str, study: str, size: int, pixels: bytes, step: int
) -> None:
    """Send one instance of the size that a load says, and wait for success."""
    command = net.store_command(uid)
    send_message(sock, command, header(uid, study, size), size, pixels, step)


def send_message(
    sock: socket.socket, command: bytes, head: bytes, size: int, pixels: bytes, step: int
) -> None:
    """Send a C-STORE in as few writes as there are megabytes, and wait for success.

    The data set is ``head`` and then ``size`` bytes, ``pixels`` again and again.
    """
    total = len(head) + size
    sent, pending, waiting = 0, [net.data_pdu(net.fragment(1, 3, command))], 0
    while sent < total:
        count = min(step, total - sent)
        last = 2 if sent + count == total else 0
        pending.append(struct.pack(">BxLLBB", 4, count + 6, count + 2, 1, last))
        body = count
        if sent == 0:
            pending.append(head)
            body -= len(head)
        pending.append(memoryview(pixels)[:body])  # type: ignore[arg-type]
        sent, waiting = sent + count, waiting + count
        if waiting >= PIECE or len(pending) > 900 or sent == total:
            write_all(sock, pending)
            pending, waiting = [], 0
    expect_success(sock)


def expect_success(sock: socket.socket) -> None:
    kind, response = answer(sock)
    if kind != net.P_DATA or net.decode(response[6:])[0x900] != b"\0\0":
        raise ConnectionError("not stored")


def write_all(sock: socket.socket, parts: list[bytes]) -> None:
    sent = sock.sendmsg(parts)
    if sent < sum(map(len, parts)):
        sock.sendall(b"".join(parts)[sent:])


def drip(port: int, material: Material, stop: threading.Event) -> None:
    """Be the slow sender until told to stop."""
    sock, _ = associate(port)
    with sock:
        head = header(material.uid(), material.uid(), 1 << 30)
        sock.sendall(net.data_pdu(net.fragment(1, 3, net.store_command())))
        sock.sendall(net.data_pdu(net.fragment(1, 0, head)))
        while not stop.wait(DRIP_SECONDS):
            sock.sendall(net.data_pdu(net.fragment(1, 0, material.pixels[:DRIP_BYTES])))


def send_raw(port: int, load: Load, material: Material) -> None:
    """The limit: length, bytes, one byte back."""
    with connect(port) as sock:
        for _ in range(load.instances):
            write_all(sock, [struct.pack(">Q", load.size)])
            for at in range(0, load.size, PIECE):
                write_all(sock, [material.pixels[: min(PIECE, load.size - at)]])
            exactly(sock, 1)
