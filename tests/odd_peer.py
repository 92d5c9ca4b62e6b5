"""An archive in raw PDUs that answers as it likes: for what a sender has to put up with."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from pacs_ai.net.scu.client import PeerAddress
from tests import net_peer as net
from tests.net_peer import P_DATA, RELEASE_RP, RELEASE_RQ, Peer, decode, item

REQUEST, AC = 1, 2
ABORT = net.pdu(net.ABORT, bytes((0, 0, 2, 0)))


@dataclass
class Proposed:
    """A context of the request: its id, its abstract and its transfer syntaxes."""

    number: int
    abstract: bytes
    syntaxes: list[bytes]


def proposed(body: bytes) -> list[Proposed]:
    """Read the contexts of an A-ASSOCIATE-RQ."""
    return [
        Proposed(
            value[0],
            next(name for kind, name in items(value[4:]) if kind == 0x30),
            [name for kind, name in items(value[4:]) if kind == 0x40],
        )
        for kind, value in items(body[68:])
        if kind == 0x20
    ]


def items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from(">BxH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def answered(number: int, result: int = 0, *sub: bytes) -> bytes:
    """Encode a context of the answer."""
    return item(0x21, bytes((number, 0, result, 0)) + b"".join(sub))


def accept_all(request: bytes) -> list[bytes]:
    """Accept each context in its first transfer syntax."""
    return [answered(one.number, 0, item(0x40, one.syntaxes[0])) for one in proposed(request)]


APPLICATION = item(0x10, net.APPLICATION_CONTEXT.encode())
LENGTH = item(0x51, struct.pack(">L", 16384))
IMPLEMENTATION = item(0x52, b"1.2.3.4")


def acceptance(
    contexts: list[bytes],
    user: bytes = item(0x50, LENGTH + IMPLEMENTATION),
    *,
    fixed: bytes = b"\0\1" + bytes(66),
    before: bytes = APPLICATION,
) -> bytes:
    """Encode an A-ASSOCIATE-AC."""
    return net.pdu(AC, fixed + before + b"".join(contexts) + user)


def response(request: dict[int, bytes], status: int = 0) -> bytes:
    """Encode the usual response to a request."""
    field_number = struct.unpack("<H", request[0x100])[0] | 0x8000
    return net.command(
        {
            0x2: request[0x2],
            0x100: field_number,
            0x120: request[0x110],
            0x800: 0x101,
            0x900: status,
            0x1000: request.get(0x1000, b""),
        }
    )


@dataclass
class OddPeer:
    """Accepts, takes messages, answers; each part can be replaced.

    ``answer`` makes the A-ASSOCIATE-AC out of the body of the request; ``respond`` all bytes that
    follow a whole message, None to close the connection instead.
    """

    answer: Callable[[bytes], bytes] = lambda request: acceptance(accept_all(request))
    respond: Callable[["OddPeer", int, dict[int, bytes]], bytes | None] = (
        lambda self, context, request: self.plain(context, request)
    )
    piece: int = 1 << 20
    hold_seconds: float = 0
    stored: list[str] = field(default_factory=list)
    datasets: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    answers: list[dict[int, bytes]] = field(default_factory=list)
    longest: int = 0

    def plain(self, context: int, request: dict[int, bytes]) -> bytes:
        """Store and answer as the standard has it."""
        self.keep(request)
        return net.data_pdu(net.fragment(context, 3, response(request)))

    def keep(self, request: dict[int, bytes]) -> None:
        if 0x1000 in request:
            self.stored.append(request[0x1000].rstrip(b"\0").decode())

    def serve(self, peer: Peer) -> None:
        """One connection from its request to its end."""
        kind, body = peer.pdu()
        assert kind == REQUEST
        self.requests.append(body)
        self.say(peer, self.answer(body))
        command, dataset = b"", b""
        while True:
            kind, body = peer.pdu()
            if kind == RELEASE_RQ:
                self.say(peer, net.pdu(RELEASE_RP, bytes(4)))
                return
            if kind != P_DATA:
                return
            self.longest = max(self.longest, len(body))
            for context, control, data in fragments(body):
                command += data if control & 1 else b""
                dataset += b"" if control & 1 else data
                whole = control & 2 and (not control & 1 or decode(command)[0x800] == b"\1\1")
                if whole and decode(command)[0x100][1] & 0x80:
                    self.answers.append(decode(command))
                    command = b""
                elif whole:
                    self.datasets.append(dataset)
                    said = self.respond(self, context, decode(command))
                    if said is None:
                        return
                    self.say(peer, said)
                    command, dataset = b"", b""

    def say(self, peer: Peer, data: bytes) -> None:
        """Send in pieces, each a segment of its own."""
        for at in range(0, len(data), self.piece):
            peer.sock.sendall(data[at : at + self.piece])
            if self.piece < len(data):
                time.sleep(0.0005)


def fragments(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    while at < len(body):
        length, context, control = struct.unpack_from(">LBB", body, at)
        yield context, control, body[at + 6 : at + 4 + length]
        at += 4 + length


@contextmanager
def listening(odd: OddPeer) -> Iterator[PeerAddress]:
    """Run it, for one connection after another."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    sock, _ = listening.accept()
                except TimeoutError:
                    continue
                peer = Peer.__new__(Peer)
                peer.sock = sock
                sock.settimeout(10)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with peer:
                    try:
                        odd.serve(peer)
                    except (EOFError, OSError):
                        continue
                    stop.wait(odd.hold_seconds)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield PeerAddress("ODD", "127.0.0.1", listening.getsockname()[1])
        finally:
            stop.set()
            thread.join(net.PATIENCE)
            assert not thread.is_alive()


def instances(folder: Path, count: int = 2) -> list[Path]:
    """Write small CT instances to send, with UIDs 1.2.3.1 and on."""
    paths = []
    for number in range(1, count + 1):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = UID(net.EXPLICIT)
        dataset.SOPClassUID, dataset.SOPInstanceUID = UID(net.CT), UID(f"1.2.3.{number}")
        dataset.ImageComments = "x" * 120
        paths.append(folder / f"{number}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths
