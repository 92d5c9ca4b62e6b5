"""What an archive may say in its responses without a result staying here (PS3.7 Section 9.3)."""

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.errors import PeerError, PeerUnreachable
from pacs_ai.net.scu import client
from tests import net_peer as net
from tests import odd_peer as odd
from tests.net_peer import data_pdu, fragment
from tests.odd_peer import ABORT, OddPeer, instances

pytestmark = pytest.mark.integration
Respond = Callable[[OddPeer, int, dict[int, bytes]], bytes | None]


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


@pytest.mark.parametrize("hold", [0, net.PATIENCE])
def test_an_abort_right_after_a_response_is_noticed_at_once(tmp_path: Path, hold: float) -> None:
    """Also where the peer then keeps the connection open."""
    peer = OddPeer(respond=respond_then(ABORT), hold_seconds=hold)
    start = time.monotonic()
    with odd.listening(peer) as address:
        outcomes = client.store(address, "US", instances(tmp_path, 3), timeout=600)
        assert time.monotonic() - start < net.SOON
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


def test_drips_and_floods_have_an_end() -> None:
    """A peer that sends for ever, slowly or not, is left when the time is over."""
    for piece in (1, 1 << 20):
        endless = net.pdu(4, fragment(1, 1, bytes(2000))) * 30
        peer = OddPeer(piece=piece, respond=lambda *_, said=endless: said)  # type: ignore[misc]
        start = time.monotonic()
        with odd.listening(peer) as address, pytest.raises(PeerError):
            client.echo(address, "US", timeout=1)
        assert time.monotonic() - start < net.SOON
