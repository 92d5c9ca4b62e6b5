"""HL7 by MLLP to receivers that acknowledge, object, hang and cut; one of them is not ours."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from pacs_ai.destinations.base import DeliveryAnswer, OutgoingFile
from pacs_ai.destinations.mllp import MllpDestination
from pacs_ai.errors import PeerError
from pacs_ai.net import open_connections
from pacs_ai.net.tls import ClientTls
from tests.pki import Authority

PATIENCE = 60.0
UID = "1.2.3"
ORU = "\r".join(
    (
        r"MSH|^~\&|PACS_AI||RIS||20260102030405||ORU^R01^ORU_R01|4711|P|2.5.1",
        "PID|1||1^^^H||Test",
        "OBR|1|||18748-4^Diagnostic Imaging Report^LN",
        "OBX|1|TX|19005-8^Impression^LN||ok||||||P",
        "",
    )
).encode()

Talk = Callable[[socket.socket], None]


@contextmanager
def receiver(talk: Talk) -> Iterator[int]:
    """Listen; each connection is given to `talk`."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def whole(connection: socket.socket) -> bytes:
    """Read a frame."""
    data = b""
    while not data.endswith(b"\x1c\r"):
        piece = connection.recv(4096)
        if not piece:
            return b""
        data += piece
    assert data.startswith(b"\x0b")
    return data[1:-2]


def acknowledge(code: str, control: str = "4711") -> bytes:
    text = f"MSH|^~\\&|RIS||PACS_AI||20260102||ACK|1|P|2.5.1\rMSA|{code}|{control}\r"
    return b"\x0b" + text.encode() + b"\x1c\r"


def answering(*pieces: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        while whole(connection):
            for piece in pieces:
                connection.sendall(piece)

    return talk


@pytest.fixture
def files(tmp_path: Path) -> list[OutgoingFile]:
    made = []
    for number in range(2):
        path = tmp_path / f"{number}.hl7"
        path.write_bytes(ORU)
        made.append(OutgoingFile(path, f"{UID}.{number}"))
    return made


def to(port: int, timeout: float = PATIENCE, tls: ClientTls | None = None) -> MllpDestination:
    return MllpDestination("ris", "127.0.0.1", port, tls, timeout)


def answers(port: int, files: list[OutgoingFile]) -> list[DeliveryAnswer]:
    return [one.answer for one in to(port).deliver(files, lambda _: True)]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("AA", DeliveryAnswer.STORED),
        ("CA", DeliveryAnswer.STORED),
        ("AE", DeliveryAnswer.REFUSED),
        ("CE", DeliveryAnswer.REFUSED),
        ("AR", DeliveryAnswer.NOT_NOW),
        ("CR", DeliveryAnswer.NOT_NOW),
        ("??", DeliveryAnswer.REFUSED),
    ],
)
def test_the_acknowledgement_decides(
    files: list[OutgoingFile], code: str, answer: DeliveryAnswer
) -> None:
    with receiver(answering(acknowledge(code))) as port:
        assert answers(port, files) == [answer] * 2


def test_an_answer_in_pieces_and_one_to_another_message(files: list[OutgoingFile]) -> None:
    late, mine = acknowledge("AE", "4710"), acknowledge("AA")
    with receiver(answering(late, mine[:5], mine[5:-1], mine[-1:])) as port:
        assert answers(port, files) == [DeliveryAnswer.STORED] * 2


def test_a_receiver_that_hangs_gets_one_message(files: list[OutgoingFile]) -> None:
    got: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        got.append(whole(connection))
        connection.recv(1)

    with receiver(talk) as port:
        outcomes = to(port, 0.5).deliver(files, lambda _: True)
    assert [one.answer for one in outcomes] == [DeliveryAnswer.NOT_NOW] * 2
    assert [one.unanswered for one in outcomes] == [True, False]
    assert got == [ORU]


@pytest.mark.parametrize("said", [b"", b"\x0bMSH|", b"no frame at all"])
def test_a_receiver_that_cuts(files: list[OutgoingFile], said: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        whole(connection)
        connection.sendall(said)

    with receiver(talk) as port:
        outcomes = to(port).deliver(files, lambda _: True)
    assert {one.answer for one in outcomes} == {DeliveryAnswer.NOT_NOW}
    assert [one.error.code for one in outcomes if one.error] == ["PEER_UNREACHABLE"] * 2


def test_one_that_never_ends_its_answer(files: list[OutgoingFile]) -> None:
    def talk(connection: socket.socket) -> None:
        whole(connection)
        while True:
            connection.sendall(b"x" * 65536)

    with receiver(talk) as port:
        assert set(answers(port, files)) == {DeliveryAnswer.NOT_NOW}


def test_nobody_there_a_probe_and_a_message_that_may_not_leave(files: list[OutgoingFile]) -> None:
    assert answers(1, files) == [DeliveryAnswer.NOT_NOW] * 2
    with pytest.raises(PeerError):
        to(1).probe()
    with receiver(answering(acknowledge("AA"))) as port:
        to(port).probe()
        outcomes = to(port).deliver(files, lambda file: file is files[1])
    assert [one.answer for one in outcomes] == [DeliveryAnswer.WITHHELD, DeliveryAnswer.STORED]


def test_a_node_that_stops_does_not_wait(files: list[OutgoingFile]) -> None:
    def talk(connection: socket.socket) -> None:
        whole(connection)
        open_connections.cut_all()
        connection.recv(1)

    with receiver(talk) as port:
        assert set(answers(port, files)) == {DeliveryAnswer.NOT_NOW}


def test_tls_with_certificates_on_both_sides(files: list[OutgoingFile], tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    server, node = authority.sign("server"), authority.sign("node")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            answering(acknowledge("AA"))(secured)

    with receiver(talk) as port:
        mine = ClientTls(authority.certificate, node.certificate, node.key)
        outcomes = to(port, tls=mine).deliver(files, lambda _: True)
        assert [one.answer for one in outcomes] == [DeliveryAnswer.STORED] * 2
        strange = to(port, tls=ClientTls()).deliver(files, lambda _: True)
        assert {one.error.code for one in strange if one.error} == {"TLS_FAILED"}


def test_a_receiver_that_is_not_ours(files: list[OutgoingFile]) -> None:
    class Handler(AbstractHandler):  # type: ignore[misc] # it has no types
        def reply(self) -> str:
            message = parse_message(self.incoming_message)
            answer = Message("ACK", version="2.5.1")
            answer.msh.msh_9 = "ACK"
            answer.msa.msa_1 = "AA"
            answer.msa.msa_2 = message.msh.msh_10.value
            return str(answer.to_mllp())

    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Handler,)})
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        assert answers(server.server_address[1], files) == [DeliveryAnswer.STORED] * 2
    finally:
        server.shutdown()
        server.server_close()
