"""Both ends of a test association: a node that writes down what it is told, a peer of raw PDUs."""

import os
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pacs_ai.files import IncomingFile
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StoreAnswer
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.server import ServerSettings, StorageServer

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

RJ, AC, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = 3, 2, 4, 5, 6, 7
HEAD = 132

PATIENCE = 60.0
"""Seconds to wait for what a quiet machine does at once."""
SOON = PATIENCE / 2
"""Long for a busy machine, and short beside what would be waited for instead."""

SETTINGS = ServerSettings(ae_titles=("AI_NODE", "SECOND"), port=0)
QUICK = replace(SETTINGS, acse_seconds=1, pdu_seconds=1, idle_seconds=1.5, closing_seconds=0.3)
"""For what waits for deadlines."""
PATIENT = replace(QUICK, acse_seconds=600, pdu_seconds=600, idle_seconds=600)
"""For what must not be left to deadlines: an answer comes without one or not at all."""


@dataclass
class Recorder:
    """Storage handlers that keep everything in a folder and in lists."""

    folder: Path
    received: list[ReceivedInstance] = field(default_factory=list)
    datasets: dict[str, bytes] = field(default_factory=dict)
    opened_for: list[AssociationInfo] = field(default_factory=list)
    closed_with: list[tuple[AssociationInfo, str]] = field(default_factory=list)
    reports: list[CommitmentReport] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    rejected_for: list[tuple[str, str, str]] = field(default_factory=list)
    answer: Callable[[ReceivedInstance], StoreAnswer] = lambda _: StoreAnswer(0)
    before_part: Callable[[], None] = lambda: None
    keep: bool = True

    def opened(self, association: AssociationInfo) -> None:
        self.opened_for.append(association)

    def rejected(self, calling_aet: str, peer_ip: str, reason: str) -> None:
        self.rejected_for.append((calling_aet, peer_ip, reason))

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        self.closed_with.append((association, outcome))

    def open_incoming(self) -> IncomingFile:
        self.before_part()
        path = self.folder / f"{uuid.uuid4().hex}.part"
        return IncomingFile(str(path), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def discard(self, incoming: IncomingFile) -> None:
        os.close(incoming.fd)
        incoming.path.unlink()

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        os.close(received.file.fd)
        if self.keep:
            content = received.file.path.read_bytes()
            self.datasets[received.sop_instance_uid] = content[len(content) - received.bytes :]
        received.file.path.unlink()
        self.received.append(received)
        return self.answer(received)

    def refused(self, status: int) -> None:
        self.refusals.append(status)

    def commitment_report(self, report: CommitmentReport) -> int:
        self.reports.append(report)
        return 0

    def outcomes(self) -> list[str]:
        return [outcome for _, outcome in self.closed_with]

    def leftovers(self) -> list[Path]:
        return list(self.folder.iterdir())


class Node:
    """A running listener and its handlers."""

    def __init__(self, settings: ServerSettings, recorder: Recorder, provider: object = None):
        self.settings = settings
        self.recorder = recorder
        self.peers: list[Peer] = []
        self.server = StorageServer(settings, recorder, provider)  # type: ignore[arg-type]
        self.server.start()
        self.port_was = self.server.port

    @property
    def port(self) -> int:
        return self.server.port

    def connect(self) -> "Peer":
        """A new peer; whatever becomes of it, `running` closes it."""
        self.peers.append(Peer(self.port))
        return self.peers[-1]


@contextmanager
def running(
    folder: Path, settings: ServerSettings = SETTINGS, provider: object = None
) -> Iterator[Node]:
    """Run a listener that has warned of nothing yet; at the end no thread of it may be left."""
    limited_log._windows.clear()
    node = Node(settings, Recorder(folder), provider)
    try:
        yield node
    finally:
        for peer in node.peers:
            peer.sock.close()
        node.server.stop(2)
        threads = [thread.name for thread in threading.enumerate() if "net-" in thread.name]
        assert threads == []


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


def context(number: int, abstract: str, syntaxes: Sequence[str]) -> bytes:
    value = bytes((number, 0, 0, 0)) + item(0x30, abstract.encode())
    return item(0x20, value + b"".join(item(0x40, one.encode()) for one in syntaxes))


CONTEXTS = (
    context(1, CT, [IMPLICIT]),
    context(3, VERIFICATION, [IMPLICIT]),
    context(5, COMMITMENT, [IMPLICIT]),
)


def user_information(extra: bytes = b"", max_length: int = 16384) -> bytes:
    length = item(0x51, struct.pack(">L", max_length))
    return item(0x50, length + item(0x52, b"1.2.3.4") + extra)


def request(
    *,
    called: str | bytes = "AI_NODE",
    calling: str | bytes = "PEER",
    version: int = 1,
    application: bytes = item(0x10, APPLICATION_CONTEXT.encode()),
    contexts: Sequence[bytes] = CONTEXTS,
    user: bytes | None = None,
) -> bytes:
    """Encode an A-ASSOCIATE-RQ, by default a sound one."""

    def title(value: str | bytes) -> bytes:
        return value if isinstance(value, bytes) else value.encode().ljust(16)

    fixed = struct.pack(">HH", version, 0) + title(called) + title(calling) + bytes(32)
    user = user_information() if user is None else user
    return pdu(1, fixed + application + b"".join(contexts) + user)


def fragment(number: int, control: int, data: bytes) -> bytes:
    return struct.pack(">LBB", len(data) + 2, number, control) + data


def data_pdu(*fragments: bytes) -> bytes:
    return pdu(4, b"".join(fragments))


def command(elements: dict[int, bytes | int | str]) -> bytes:
    """Encode a command set; numbers as unsigned shorts, text as UIDs."""
    encoded = b""
    for element, given in sorted(elements.items()):
        value = given
        if isinstance(given, int):
            value = struct.pack("<H", given)
        elif isinstance(given, str):
            value = given.encode() + b"\0" * (len(given) % 2)
        encoded += struct.pack("<HHL", 0, element, len(value)) + value
    return struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded


def store_command(instance: str = "1.2.3", sop_class: str = CT, message: int = 1) -> bytes:
    return command({0x2: sop_class, 0x100: 1, 0x110: message, 0x700: 0, 0x800: 1, 0x1000: instance})


def echo_command(message: int = 1) -> bytes:
    return command({0x2: VERIFICATION, 0x100: 0x30, 0x110: message, 0x800: 0x101})


def decode(data: bytes) -> dict[int, bytes]:
    elements, at = {}, 0
    while at < len(data):
        _, element, length = struct.unpack_from("<HHL", data, at)
        elements[element] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return elements


class Peer:
    """A socket that speaks PDUs."""

    def __init__(self, port: int, timeout: float = PATIENCE):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, *data: bytes) -> None:
        self.sock.sendall(b"".join(data))

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            if not more:
                raise EOFError(f"closed after {len(data)} of {count} bytes")
            data += more
        return data

    def pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self.exactly(6))
        return kind, self.exactly(length)

    def closed(self) -> bool:
        """Whether the node closes and sends nothing more."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def associate(self, **changes: object) -> bytes:
        self.send(request(**changes))  # type: ignore[arg-type]
        kind, body = self.pdu()
        assert kind == AC, (kind, body)
        return body

    def response(self) -> dict[int, bytes]:
        """The next message's command set, which must fit a single fragment."""
        kind, body = self.pdu()
        assert kind == P_DATA, (kind, body)
        return decode(body[6:])

    def status(self) -> int:
        return struct.unpack("<H", self.response()[0x900])[0]

    def echo(self) -> int:
        self.send(data_pdu(fragment(3, 3, echo_command())))
        return self.status()

    def store(self, data: bytes = b"x" * 100, instance: str = "1.2.3") -> int:
        self.send(data_pdu(fragment(1, 3, store_command(instance)), fragment(1, 2, data)))
        return self.status()

    def release(self) -> None:
        self.send(pdu(5, bytes(4)))
        assert self.pdu() == (RELEASE_RP, bytes(4))
        self.sock.close()

    def aborted(self) -> tuple[int, int]:
        """Source and reason of the abort that must come, and be the end."""
        kind, body = self.pdu()
        assert kind == ABORT, (kind, body)
        assert self.closed()
        return body[2], body[3]


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait for what another thread does."""
    ticker = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return True
        ticker.wait(0.01)
    return False
