"""Generated answers to what we ask: in time an outcome or an error of ours, never anything else."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.errors import PeerError
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu import client
from pacs_ai.net.scu.negotiation import Proposal, decode_acceptance, rejection
from tests import net_peer as net
from tests import odd_peer as odd
from tests.fuzz.effort import FUZZ
from tests.net_peer import data_pdu, fragment, item, pdu

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(36_000)]

PROPOSALS = [Proposal(net.VERIFICATION, (net.IMPLICIT,)), Proposal(net.CT, (net.EXPLICIT,))]

small = st.binary(max_size=40)
kinds = st.sampled_from([0x10, 0x20, 0x21, 0x30, 0x40, 0x50, 0x51, 0x52, 0x54, 0x55, 0x59, 0x5F])
plain_items = st.builds(item, kinds, small)
nested = st.builds(
    lambda kind, head, inner: item(kind, head + b"".join(inner)),
    kinds,
    st.sampled_from([b"", b"\1\0\0\0", b"\3\0\0\0", b"\1\0\3\0"]),
    st.lists(plain_items, max_size=4),
)
bodies = st.builds(
    lambda parts, tail: b"\0\1" + bytes(66) + b"".join(parts) + tail,
    st.lists(nested | plain_items, max_size=6),
    st.binary(max_size=6),
)
sound = odd.acceptance([odd.answered(1, 0, item(0x40, net.IMPLICIT.encode()))])
commands = st.dictionaries(
    st.sampled_from([0, 2, 0x100, 0x110, 0x120, 0x800, 0x900, 0x1000]),
    st.sampled_from([0x8030, 0x8001, 0x100, 1, 0, 0x101, b"", b"\0\0\0\0", b"abc"]),
    max_size=7,
).map(net.command)
answers = st.one_of(
    st.builds(
        lambda number, control, data: data_pdu(fragment(number, control, data)),
        st.sampled_from([1, 3, 0]),
        st.integers(0, 3),
        commands | small,
    ),
    st.builds(pdu, st.integers(0, 9), small),
    small,
)


@FUZZ
@given(bodies | st.binary(max_size=200))
def test_any_acceptance(body: bytes) -> None:
    rejection(body)
    try:
        found = decode_acceptance(body, PROPOSALS)
    except ProtocolViolation:
        return
    assert {one.id for one in found.contexts} <= {1, 3}
    for one in found.contexts:
        assert one.transfer_syntax == PROPOSALS[one.id // 2].transfer_syntaxes[0]


@FUZZ
@given(
    st.just(sound) | bodies.map(lambda body: pdu(2, body)),
    st.lists(answers, max_size=4).map(b"".join),
)
def test_any_conversation(acceptance: bytes, said: bytes) -> None:
    peer = odd.OddPeer(answer=lambda _: acceptance, respond=lambda *_: said or None)
    start = time.monotonic()
    with odd.listening(peer) as address, suppress(PeerError):
        client.echo(address, "US", timeout=0.3)
        assert b"\0\0\0\x09\2" in said or b"\0\0\0\x09\4" in said, "no status was said"
    assert time.monotonic() - start < net.SOON
