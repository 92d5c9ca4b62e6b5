"""What an archive may accept with, without a result staying here (PS3.8 Section 9.3.3)."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.errors import ContextRejected, PeerError, PeerUnreachable
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu import client
from tests import net_peer as net
from tests import odd_peer as odd
from tests.net_peer import item
from tests.odd_peer import (
    ABORT,
    IMPLEMENTATION,
    LENGTH,
    OddPeer,
    accept_all,
    acceptance,
    answered,
    instances,
)

pytestmark = pytest.mark.integration
Answer = Callable[[bytes], bytes]


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
