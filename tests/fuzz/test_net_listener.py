"""Generated conversations with the real listener.

Whatever is said: it answers or closes in time, keeps nothing that is not whole, has no error of
its own, and serves a good client right after. ``PACS_AI_FUZZ_EXAMPLES`` makes the run longer.
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_ai.net import commitment_dataset
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import CommitmentRequest
from tests import net_peer as net
from tests.fuzz.effort import EXAMPLES, FUZZ
from tests.net_peer import Node, data_pdu, fragment, item, pdu, request

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(36_000)]

SMALL = replace(net.PATIENT, max_pdu=4096, max_instance=200_000, max_identifier=50_000)
SHORT = replace(SMALL, acse_seconds=0.3, pdu_seconds=0.3, idle_seconds=0.3, closing_seconds=0.2)
"""Only for what waits for deadlines: a busy machine alone may make a peer that slow."""

numbers = st.integers(0, 0xFFFF)
small = st.binary(max_size=300)
context_ids = st.sampled_from([1, 3, 5, 7, 0, 255])
elements = st.dictionaries(
    st.sampled_from([0, 2, 3, 0x100, 0x110, 0x120, 0x600, 0x700, 0x800, 0x900, 0x1000, 0x1002])
    | numbers,
    st.one_of(
        st.sampled_from([1, 0x30, 0x100, 0x130, 0xFFF, 0x8001, 0x8100, 0x101, 0, 0x20]),
        st.sampled_from([net.CT, net.VERIFICATION, net.COMMITMENT, "1.2.3", "../x", ""]),
        small,
    ),
    max_size=9,
)
commands = st.one_of(
    elements.map(net.command),
    small,
    st.just(net.store_command()),
    st.just(net.echo_command()),
    st.builds(
        lambda field, kind: net.command(
            {
                2: net.COMMITMENT,
                0x100: field,
                0x110: 1,
                0x800: 1,
                0x1001: net.COMMITMENT_INSTANCE,
                0x1002: kind,
                0x1008: kind,
            }
        ),
        st.sampled_from([0x100, 0x130]),
        st.integers(0, 3),
    ),
)
datasets = small | st.sampled_from(
    [
        commitment_dataset.encode(
            commitment_dataset.request_dataset("1.2", [(net.CT, "1.2.3")]), net.IMPLICIT
        ),
        commitment_dataset.encode(
            commitment_dataset.report_dataset(CommitmentReport("1.2", (), ((net.CT, "1.2", 1),)))[
                1
            ],
            net.IMPLICIT,
        ),
    ]
)
controls = st.sampled_from([0, 1, 2, 3, 3, 2]) | st.integers(0, 255)
fragments = st.one_of(
    st.builds(fragment, context_ids, controls, commands | small),
    st.builds(lambda number, data: fragment(number, 3, data), st.sampled_from([1, 3, 5]), commands),
    st.builds(lambda number, data: fragment(number, 2, data), st.sampled_from([1, 3, 5]), datasets),
)
items = st.recursive(
    st.builds(item, st.integers(0, 255), small),
    lambda inner: st.builds(
        lambda kind, parts: item(kind, b"\1\0\0\0" + b"".join(parts)),
        st.sampled_from([0x20, 0x50, 0x21]),
        st.lists(inner, max_size=4),
    ),
    max_leaves=8,
)
requests = st.one_of(
    st.just(request()),
    st.builds(lambda extra: request(user=net.user_information(b"".join(extra))), st.lists(items)),
    st.builds(lambda parts: request(contexts=parts), st.lists(items, max_size=5)),
    st.builds(lambda body: pdu(1, body), st.binary(max_size=400)),
)
steps = st.one_of(
    requests,
    st.lists(fragments, max_size=4).map(lambda parts: data_pdu(*parts)),
    st.lists(fragments, max_size=4).map(lambda parts: data_pdu(*parts)),
    st.builds(pdu, st.integers(0, 10), small),
    st.just(pdu(5, bytes(4))),
    st.builds(lambda kind, length: struct.pack(">BxL", kind, length), st.integers(0, 9), numbers),
    small,
)


class Archive:
    """Commits to everything."""

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        return CommitmentReport(request.transaction_uid, request.references, ())

    def commitment_undelivered(self, _: CommitmentRequest, report: CommitmentReport) -> None:
        assert report.committed


@pytest.fixture(params=[SMALL], ids=[""])
def node(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Node]:
    limits = request.param
    with structlog.testing.capture_logs() as logs, net.running(tmp_path, limits, Archive()) as node:
        yield node
        with node.connect() as peer:
            peer.associate()
            assert peer.store() == 0
            peer.release()
    assert node.recorder.leftovers() == []
    assert len(node.recorder.opened_for) == len(node.recorder.closed_with)
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


def converse(node: Node, stream: bytes, *, end: bool) -> bytes:
    """Say something; return the answers, which must end within the deadlines' time."""
    with net.Peer(node.port, timeout=net.PATIENCE) as peer:
        start = time.monotonic()
        speaking = threading.Thread(target=speak, args=(peer.sock, stream, end))
        speaking.start()
        answers = b""
        try:
            while more := peer.sock.recv(65536):
                answers += more
        except ConnectionResetError:
            pass
        assert time.monotonic() - start < net.SOON
        speaking.join()
    return answers


def speak(sock: socket.socket, stream: bytes, end: bool) -> None:
    try:
        sock.sendall(stream)
        if end:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        return


def check(answers: bytes) -> None:
    """Only whole PDUs of kinds that an acceptor may send."""
    while answers:
        kind, length = struct.unpack_from(">BxL", answers)
        assert kind in (net.AC, net.RJ, net.P_DATA, net.RELEASE_RP, net.ABORT)
        assert len(answers) >= 6 + length
        answers = answers[6 + length :]


@FUZZ
@given(st.lists(steps, max_size=8))
def test_any_conversation(node: Node, said: list[bytes]) -> None:
    check(converse(node, b"".join(said), end=True))


@FUZZ
@given(st.lists(steps, max_size=8))
def test_any_association(node: Node, said: list[bytes]) -> None:
    answers = converse(node, request() + b"".join(said), end=True)
    assert answers[:1] == bytes((net.AC,))
    check(answers)


@pytest.mark.parametrize("node", [SHORT], indirect=True, ids=[""])
@settings(FUZZ, max_examples=max(10, EXAMPLES // 15))
@given(st.lists(steps, max_size=4))
def test_silence_afterwards_is_ended(node: Node, said: list[bytes]) -> None:
    check(converse(node, request() + b"".join(said), end=False))


WHOLE = (
    request()
    + data_pdu(fragment(3, 3, net.echo_command()))
    + data_pdu(fragment(1, 1, net.store_command()[:30]), fragment(1, 3, net.store_command()[30:]))
    + data_pdu(fragment(1, 0, bytes(200)))
    + data_pdu(fragment(1, 2, bytes(100)))
    + pdu(5, bytes(4))
)


@FUZZ
@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(WHOLE)),
    st.integers(0, len(WHOLE)),
)
def test_a_recording_damaged(
    node: Node, changes: list[tuple[int, int]], cut_from: int, cut_to: int
) -> None:
    """Bytes changed, and a piece left out or said twice."""
    damaged = bytearray(WHOLE)
    for position, value in changes:
        damaged[position] = value
    check(converse(node, bytes(damaged[:cut_from] + damaged[cut_to:]), end=True))


@FUZZ
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_a_sound_conversation_in_any_pieces(node: Node, sizes: list[int]) -> None:
    before = len(node.recorder.received)
    with net.Peer(node.port) as peer:
        at = 0
        for size in [*sizes, len(WHOLE)]:
            peer.send(WHOLE[at : at + size])
            at += size
        kinds = [peer.pdu()[0] for _ in range(4)]
    assert kinds == [net.AC, net.P_DATA, net.P_DATA, net.RELEASE_RP]
    assert len(node.recorder.received) == before + 1
