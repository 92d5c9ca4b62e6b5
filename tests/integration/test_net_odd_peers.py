"""What an archive may do in its answers without a result staying here (PS3.8 Section 9.3.1)."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID

from pacs_ai.errors import ContextRejected, PeerError, PeerUnreachable
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu import client
from tests import net_peer as net
from tests import odd_peer as odd
from tests.net_peer import data_pdu, fragment, item
from tests.odd_peer import IMPLEMENTATION, LENGTH, OddPeer, accept_all, acceptance, answered

pytestmark = pytest.mark.integration

ABORT = net.pdu(net.ABORT, bytes((0, 0, 2, 0)))
Answer = Callable[[bytes], bytes]
Respond = Callable[[OddPeer, int, dict[int, bytes]], bytes | None]


def instances(folder: Path, count: int = 2) -> list[Path]:
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


def user(*extra: bytes, length: bytes = LENGTH) -> Answer:
    """Answer with other items in the user information."""
    return lambda request: acceptance(
        accept_all(request), item(0x50, length + IMPLEMENTATION + b"".join(extra))
    )


def contexts(make: Callable[[odd.Proposed], bytes]) -> Answer:
    """Answer with contexts of another form."""
    return lambda request: acceptance([make(one) for one in odd.proposed(request)])


def padded(padding: bytes) -> Answer:
    return contexts(lambda one: answered(one.number, 0, item(0x40, one.syntaxes[0] + padding)))


def among_refused(*sub: bytes) -> Answer:
    """Accept what is wanted most, refuse the rest with a sub-item, or none."""

    def make(one: odd.Proposed) -> bytes:
        if one.syntaxes[0] == net.IMPLICIT.encode():
            return answered(one.number, 4, *sub)
        return answered(one.number, 0, item(0x40, one.syntaxes[0]))

    return contexts(make)


def shuffled(request: bytes) -> bytes:
    """Everything is there, in an order of its own, with other items between."""
    parts = [item(0x50, IMPLEMENTATION + item(0x5F, b"") + LENGTH), *accept_all(request)[::-1]]
    between = b"".join(part + item(0x99, b"?") for part in parts)
    return net.pdu(2, b"\0\1" + bytes(66) + between + odd.APPLICATION)


def unasked(request: bytes) -> bytes:
    """Contexts that nobody proposed, even and odd, and one answered twice."""
    more = [answered(number, 0, item(0x40, b"1.2.840.10008.1.2")) for number in (0, 2, 77, 255)]
    again = [answered(one.number, 3, item(0x40, b"")) for one in odd.proposed(request)]
    return acceptance([*more, *accept_all(request), *again])


ACCEPTED: dict[str, Answer] = {
    **{f"item {kind:02X}": user(item(kind, b"xxxx")) for kind in (0x5F, 0x00, 0x11, 0x60, 0xFF)},
    "empty unknown item": user(item(0x5A, b"")),
    "long unknown item": user(item(0x5F, bytes(9000))),
    "version long": user(item(0x55, b"A VERY LONG IMPLEMENTATION VERSION")),
    "version odd": user(item(0x55, "Vérsion 1".encode("latin-1"))),
    "version utf-8": user(item(0x55, "版本".encode())),
    "version empty": user(item(0x55, b"")),
    "version control": user(item(0x55, b"\1\2\n\\")),
    "version twice": user(item(0x55, b"A"), item(0x55, b"B")),
    "class empty": user(item(0x52, b"")),
    "class padded": user(item(0x52, b"1.2.3\0\0")),
    "class nonsense": user(item(0x52, b"not a UID at all, and far too long for one" * 3)),
    "asynchronous": user(item(0x53, struct.pack(">HH", 0, 0))),
    "asynchronous cut off": user(item(0x53, b"\0")),
    "role of another class": user(item(0x54, b"\0\0051.2.3\1\1")),
    "role cut off": user(item(0x54, b"\0\x401.2")),
    "extended": user(item(0x56, b"\0\0051.2.3\1")),
    "identity answer": user(item(0x59, b"\0\0")),
    "user information cut off": user(b"\x5f\0\xff\xff"),
    "length 0": user(length=item(0x51, bytes(4))),
    "length 64": user(length=item(0x51, struct.pack(">L", 64))),
    "length 7": user(length=item(0x51, struct.pack(">L", 7))),
    "length 4 GiB": user(length=item(0x51, b"\xff" * 4)),
    "length of two bytes": user(length=item(0x51, b"\x40\0")),
    "no length": user(length=b""),
    "no user information": lambda request: acceptance(accept_all(request), b""),
    "no application context": lambda request: acceptance(accept_all(request), before=b""),
    "application context padded": lambda request: acceptance(
        accept_all(request), before=item(0x10, b"1.2.840.10008.3.1.1.1\0")
    ),
    "top level items": lambda request: acceptance(
        [item(0x22, b""), item(0x7F, b"x"), *accept_all(request)]
    ),
    "version 0": lambda request: acceptance(accept_all(request), fixed=bytes(68)),
    "other titles": lambda request: acceptance(accept_all(request), fixed=b"\0\1" + b"\xff" * 66),
    "syntax NUL": padded(b"\0"),
    "syntax space": padded(b" "),
    "syntax spaces": padded(b"  \0"),
    "no syntax": contexts(lambda one: answered(one.number)),
    "sub-item": contexts(
        lambda one: answered(one.number, 0, item(0x3F, b"x"), item(0x40, one.syntaxes[0]))
    ),
    "abstract syntax echoed": contexts(
        lambda one: answered(one.number, 0, item(0x30, one.abstract), item(0x40, one.syntaxes[0]))
    ),
    "refused without syntax": among_refused(),
    "refused with empty syntax": among_refused(item(0x40, b"")),
    "refused with nonsense": among_refused(item(0x40, b"\xff" * 80)),
    "refused with broken sub-item": among_refused(b"\x40\0\0\x50abc"),
    "shuffled": shuffled,
    "contexts unasked": unasked,
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_results_go_out_whatever_the_acceptance_looks_like(tmp_path: Path, name: str) -> None:
    paths = instances(tmp_path)
    peer = OddPeer(answer=ACCEPTED[name])
    with odd.listening(peer) as address:
        outcomes = client.store(address, "US", paths, timeout=5)
    assert [one.status for one in outcomes] == [0, 0], outcomes
    assert peer.stored == ["1.2.3.1", "1.2.3.2"]
    assert all(path.read_bytes().endswith(peer.datasets[n]) for n, path in enumerate(paths))


def test_the_longest_pdu_is_what_the_peer_takes(tmp_path: Path) -> None:
    peer = OddPeer(answer=user(length=item(0x51, struct.pack(">L", 64))))
    with odd.listening(peer) as address:
        client.store(address, "US", instances(tmp_path), timeout=5)
    assert peer.longest <= 64


def elements(*encoded: bytes) -> bytes:
    return b"".join(encoded)


def element(number: int, value: bytes, group: int = 0) -> bytes:
    return struct.pack("<HHL", group, number, len(value)) + value


def basics(request: dict[int, bytes], status: bytes = b"\0\0") -> list[bytes]:
    return [
        element(0x100, b"\1\x80"),
        element(0x120, request[0x110]),
        element(0x800, b"\1\1"),
        element(0x900, status),
    ]


def saying(make: Callable[[dict[int, bytes]], bytes]) -> Respond:
    """Respond with a command set of another form."""

    def respond(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes:
        self.keep(request)
        return data_pdu(fragment(context, 3, make(request)))

    return respond


def split(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes:
    self.keep(request)
    data = odd.response(request)
    parts = [data[at : at + 10] for at in range(0, len(data), 10)]
    last = len(parts) - 1
    return b"".join(
        data_pdu(fragment(context, 3 if at == last else 1, part)) for at, part in enumerate(parts)
    )


def with_strays(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes:
    """Answer something else first, ask for an echo, then answer."""
    stray = dict(request) | {0x110: b"\x99\x99"}
    echo = data_pdu(fragment(context, 3, net.echo_command(7)))
    return data_pdu(fragment(context, 3, odd.response(stray))) + echo + self.plain(context, request)


def with_dataset(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes:
    """Announce a data set and send it."""
    self.keep(request)
    data = elements(*basics(request)).replace(element(0x800, b"\1\1"), element(0x800, b"\1\0"))
    return data_pdu(fragment(context, 3, data)) + data_pdu(fragment(context, 2, b"xxxx"))


RESPONDED: dict[str, Respond] = {
    "least": saying(lambda request: elements(*basics(request))),
    "reversed": saying(lambda request: elements(*reversed(basics(request)))),
    "no answered id": saying(lambda request: elements(*basics(request)[:1], *basics(request)[2:])),
    "no data set type": saying(
        lambda request: elements(*basics(request)[:2], *basics(request)[3:])
    ),
    "status of four bytes": saying(lambda request: elements(*basics(request, b"\0\0\0\0"))),
    "more elements": saying(
        lambda request: elements(
            element(0, b"\xff\xff\xff\xff"),
            element(0x1, b"retired"),
            *basics(request),
            element(0x902, b"X" * 200),
            element(0x903, b""),
            element(0x5010, b"\1"),
        )
    ),
    "garbage behind": saying(lambda request: elements(*basics(request)) + b"\0\0\0"),
    "in fragments": split,
    "strays before": with_strays,
    "a data set": with_dataset,
}


@pytest.mark.parametrize("name", RESPONDED)
def test_results_are_stored_whatever_the_response_looks_like(tmp_path: Path, name: str) -> None:
    peer = OddPeer(respond=RESPONDED[name])
    with odd.listening(peer) as address:
        outcomes = client.store(address, "US", instances(tmp_path), timeout=5)
    assert [one.status for one in outcomes] == [0, 0], outcomes
    assert peer.stored == ["1.2.3.1", "1.2.3.2"]
    refused = struct.pack("<H", 0x0211)
    assert [one[0x900] for one in peer.answers] == [refused] * (2 * (name == "strays before"))


def test_an_answer_to_another_message_is_a_fault_of_the_protocol(tmp_path: Path) -> None:
    def respond(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes:
        return self.plain(context, dict(request) | {0x110: b"\x99\x99"})

    with odd.listening(OddPeer(respond=respond)) as address:
        (outcome,) = client.store(address, "US", instances(tmp_path, 1), timeout=1)
    assert outcome.error_code == "PROTOCOL_VIOLATION"
    assert "answers message 39321 instead of 1" in str(outcome.error)


def test_one_byte_a_segment(tmp_path: Path) -> None:
    peer = OddPeer(piece=1)
    with odd.listening(peer) as address:
        client.echo(address, "US", timeout=5)
        outcomes = client.store(address, "US", instances(tmp_path), timeout=5)
    assert [one.status for one in outcomes] == [0, 0]


def respond_then(after: bytes | None) -> Respond:
    def respond(self: OddPeer, context: int, request: dict[int, bytes]) -> bytes | None:
        if len(self.stored):
            return after
        return self.plain(context, request) + (after or b"")

    return respond


@pytest.mark.parametrize("hold", [0, 3])
def test_an_abort_right_after_a_response_is_noticed_at_once(tmp_path: Path, hold: float) -> None:
    """Also where the peer then keeps the connection open."""
    peer = OddPeer(respond=respond_then(ABORT), hold_seconds=hold)
    start = time.monotonic()
    with odd.listening(peer) as address:
        outcomes = client.store(address, "US", instances(tmp_path, 3), timeout=20)
        assert time.monotonic() - start < 3
    assert outcomes[0].status == 0
    assert [one.error_code for one in outcomes[1:]] == ["ASSOCIATION_ABORTED"] * 2
    assert all(one.error is not None and one.error.retryable for one in outcomes[1:])


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (None, "CONNECTION_GONE"),
        (ABORT, "ASSOCIATION_ABORTED"),
        (net.pdu(5, bytes(4)), "ASSOCIATION_ABORTED"),
        (net.pdu(2, bytes(68)), "PROTOCOL_VIOLATION"),
        (net.pdu(9, b""), "PROTOCOL_VIOLATION"),
        (b"\x04\0\xff\xff\xff\xff", "PROTOCOL_VIOLATION"),
        (data_pdu(struct.pack(">LBB", 1 << 20, 1, 3)), "PROTOCOL_VIOLATION"),
        (data_pdu(fragment(1, 3, b"nonsense")), "PROTOCOL_VIOLATION"),
        (data_pdu(fragment(1, 3, element(0x100, b"\1\x80"))), "PROTOCOL_VIOLATION"),
    ],
)
def test_what_is_no_answer_has_a_name_and_may_be_held(
    tmp_path: Path, said: bytes | None, code: str
) -> None:
    peer = OddPeer(respond=lambda *_: said)
    with odd.listening(peer) as address:
        outcomes = client.store(address, "US", instances(tmp_path), timeout=5)
    assert [one.error_code for one in outcomes] == [code] * 2
    assert [one.unanswered for one in outcomes] == [True, False]
    assert not any(isinstance(one.error, PeerUnreachable) for one in outcomes if said)


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        (net.pdu(2, bytes(10)), ProtocolViolation, "shorter"),
        (net.pdu(2, b"\0\1" + bytes(66) + b"\x21\0\xff\xff"), ProtocolViolation, "beyond"),
        (net.pdu(4, bytes(6)), ProtocolViolation, "P_DATA"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolViolation, "unknown type 72"),
        (b"\x15\x03\x01\0\2\2\x16", ProtocolViolation, "TLS"),
        (ABORT, PeerError, "aborted"),
        (acceptance([]), ContextRejected, "none of the presentation contexts"),
        (acceptance([answered(1, 3, item(0x40, b""))]), ContextRejected, "abstract syntax"),
        (acceptance([answered(1, 0, item(0x40, b"1.2.3"))]), ContextRejected, "not proposed"),
    ],
)
def test_what_is_no_acceptance_says_so(said: bytes, error: type[PeerError], text: str) -> None:
    with (
        odd.listening(OddPeer(answer=lambda _: said)) as address,
        pytest.raises(error, match=text) as raised,
    ):
        client.echo(address, "US", timeout=5)
    assert not isinstance(raised.value, PeerUnreachable)


def test_drips_and_floods_have_an_end() -> None:
    """A peer that sends for ever, slowly or not, is left when the time is over."""
    for piece in (1, 1 << 20):
        endless = net.pdu(4, fragment(1, 1, bytes(2000))) * 30
        peer = OddPeer(piece=piece, respond=lambda *_, said=endless: said)  # type: ignore[misc]
        start = time.monotonic()
        with odd.listening(peer) as address, pytest.raises(PeerError):
            client.echo(address, "US", timeout=1)
        assert time.monotonic() - start < 8
