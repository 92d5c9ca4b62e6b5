"""The small parts: states, access, status, dataset writers, PDUs, settings, rate-limited log."""

import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import UID
from pynetdicom.dsutils import create_file_meta, encode_file_meta
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, P_DATA_TF
from structlog.testing import capture_logs

from pacs_ai.domain import IncomingFile
from pacs_ai.errors import ConfigError
from pacs_ai.net import pdu
from pacs_ai.net.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from pacs_ai.net.faults import AbortReason
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.scp.access import refusal
from pacs_ai.net.scp.admission import Rate
from pacs_ai.net.scp.associate_request import decode_request
from pacs_ai.net.scp.dataset_writer import DiscardingWriter, FileWriter, MemoryWriter, file_head
from pacs_ai.net.scp.rate_limited_log import RateLimitedLog
from pacs_ai.net.scp.settings import ServerSettings
from pacs_ai.net.scp.states import TRANSITIONS, Action, Event, State
from pacs_ai.net.status import Verdict, classify
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID
from tests import net_peer as net

FROM_PEER = {event for event in Event if event < Event.ACCEPTED} | {Event.CLOSED, Event.EXPIRED}


@pytest.mark.parametrize("state", [State.AWAIT_REQUEST, State.ESTABLISHED])
@pytest.mark.parametrize("event", sorted(FROM_PEER))
def test_every_event_has_a_place_where_the_peer_speaks(state: State, event: Event) -> None:
    assert (state, event) in TRANSITIONS


@pytest.mark.parametrize("state", sorted(set(State) - {State.IDLE}))
def test_every_state_ends(state: State) -> None:
    """From each, a closed connection and a deadline lead to idle."""
    for event in (Event.CLOSED, Event.EXPIRED):
        seen, here = [], state
        while here is not State.IDLE:
            action, here = TRANSITIONS[here, event]
            seen.append(action)
            assert len(seen) < 3
        assert action in (Action.CLOSE, Action.PEER_LOST)


def test_every_state_and_action_is_reached() -> None:
    assert {action for action, _ in TRANSITIONS.values()} == set(Action)
    reached = {target for _, target in TRANSITIONS.values()} | {State.AWAIT_REQUEST}
    assert reached == set(State)


@pytest.mark.parametrize(
    ("accept_from", "calling", "peer_ip", "let_in"),
    [
        ((), "ANY", "127.0.0.1", True),
        ((), "ANY", "127.8.9.1", True),
        ((), "ANY", "::1", True),
        ((), "ANY", "10.0.0.1", False),
        (("PACS",), "PACS", "10.0.0.1", True),
        (("PACS",), "pacs", "10.0.0.1", False),
        (("PACS",), "PACS2", "127.0.0.1", False),
        (("CT_*", "PACS"), "CT_1", "10.0.0.1", True),
        (("*@10.1.2.*",), "ANY", "10.1.2.3", True),
        (("*@10.1.2.*",), "ANY", "10.1.3.3", False),
        (("PACS@10.0.0.0/8",), "PACS", "10.200.1.1", True),
        (("PACS@10.0.0.0/8",), "CT", "10.200.1.1", False),
        (("PACS@fd00::/8",), "PACS", "fd12::1", True),
        (("PACS@fd00::/8",), "PACS", "10.0.0.1", False),
    ],
)
def test_who_may_call(
    accept_from: tuple[str, ...], calling: str, peer_ip: str, let_in: bool
) -> None:
    request = decode_request(net.request(calling=calling)[6:])
    settings = replace(net.SETTINGS, accept_from=accept_from)
    reason = refusal(request, peer_ip, settings)
    assert reason is (None if let_in else pdu.RejectReason.CALLING_AET)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, Verdict.RETRY),
        (0x0000, Verdict.SUCCESS),
        (0x0001, Verdict.WARNING),
        (0xB000, Verdict.WARNING),
        (0xB007, Verdict.WARNING),
        (0xBFFF, Verdict.WARNING),
        (0xA700, Verdict.RETRY),
        (0xA7FF, Verdict.RETRY),
        (0x0213, Verdict.RETRY),
        (0xA800, Verdict.REFUSED),
        (0xA900, Verdict.REFUSED),
        (0xC000, Verdict.REFUSED),
        (0xCFFF, Verdict.REFUSED),
        (0x0117, Verdict.REFUSED),
        (0x0122, Verdict.REFUSED),
        (0xFF00, Verdict.REFUSED),
    ],
)
def test_verdicts(status: int | None, verdict: Verdict) -> None:
    assert classify(status) is verdict
    assert verdict.delivered is (verdict in (Verdict.SUCCESS, Verdict.WARNING))


def test_pdus_as_pynetdicom_reads_them() -> None:
    abort = A_ABORT_RQ()
    abort.decode(pdu.abort(AbortReason.INVALID_PARAMETER))
    assert (abort.source, abort.reason_diagnostic) == (2, 6)
    rejection = A_ASSOCIATE_RJ()
    rejection.decode(pdu.reject(pdu.RejectReason.LOCAL_LIMIT))
    assert (rejection.result, rejection.source, rejection.reason_diagnostic) == (2, 3, 2)
    assert A_RELEASE_RP().encode() == pdu.RELEASE_RP


@given(st.binary(max_size=500), st.none() | st.binary(max_size=500), st.integers(0, 100))
def test_messages_in_fragments(command: bytes, dataset: bytes | None, max_length: int) -> None:
    stream = pdu.message(7, command, dataset, max_length)
    found = {1: b"", 0: b""}
    order = []
    while stream:
        length = struct.unpack_from(">L", stream, 2)[0]
        assert not max_length or length <= max(max_length, 8)
        one = P_DATA_TF()
        one.decode(stream[: 6 + length])
        (fragment,) = one.presentation_data_value_items
        control = fragment.presentation_data_value[0]
        assert fragment.presentation_context_id == 7
        found[control & 1] += fragment.presentation_data_value[1:]
        order.append(control)
        stream = stream[6 + length :]
    assert found == {1: command, 0: dataset or b""}
    ends = [control for control in order if control & 2]
    assert ends == ([3] if dataset is None else [3, 2])


def part_at(path: Path) -> IncomingFile:
    return IncomingFile(str(path), os.open(path, os.O_WRONLY | os.O_CREAT))


@given(st.lists(st.binary(max_size=50), max_size=700), st.integers(1, 40))
def test_a_part_holds_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], spill_each: int
) -> None:
    path = tmp_path_factory.mktemp("incoming") / "x"
    writer = FileWriter(part_at(path), b"head", 10**6)
    for index, piece in enumerate(pieces):
        writer.write(memoryview(piece))
        if index % spill_each == 0:
            writer.spill()
    writer.spill()
    os.close(writer.incoming.fd)
    assert path.read_bytes() == b"head" + b"".join(pieces)
    assert writer.size == sum(map(len, pieces))


def test_a_failed_write_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    writer = FileWriter(IncomingFile(path, fd), b"head", 100)
    for _ in range(3):
        writer.write(memoryview(b"abc"))
        writer.spill()
    os.close(fd)
    assert writer.error is not None
    assert writer.size == 9


def test_other_writers() -> None:
    for writer in (MemoryWriter(100), DiscardingWriter(100)):
        writer.write(memoryview(b"abc"))
        writer.write(memoryview(b"de"))
        writer.spill()
        assert (writer.size, writer.limit) == (5, 100)


@pytest.mark.parametrize("length", [3, 4, 63, 64])
def test_file_heads(tmp_path: Path, length: int) -> None:
    for uid in ("9" * length, "1." + "2" * (length - 2)):
        path = tmp_path / "x.dcm"
        path.write_bytes(file_head(net.CT, uid, net.EXPLICIT))
        meta = dcmread(path).file_meta
        assert meta.MediaStorageSOPInstanceUID == uid
        assert meta.MediaStorageSOPClassUID == net.CT
        assert meta.TransferSyntaxUID == net.EXPLICIT
        assert path.read_bytes()[:132] == bytes(128) + b"DICM"
        assert meta.FileMetaInformationGroupLength == path.stat().st_size - 144
        again = encode_file_meta(
            create_file_meta(
                sop_class_uid=UID(net.CT),
                sop_instance_uid=UID(uid),
                transfer_syntax=UID(net.EXPLICIT),
                implementation_uid=UID(IMPLEMENTATION_CLASS_UID),
                implementation_version=IMPLEMENTATION_VERSION,
            )
        )
        assert path.read_bytes()[132:] == again


@pytest.mark.parametrize(
    "changes",
    [
        {"ae_titles": ()},
        {"ae_titles": (" ",)},
        {"max_pdu": 0},
        {"max_pdu": 1 << 30},
        {"port": None},
    ],
)
def test_settings_that_make_no_sense(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(ServerSettings(ae_titles=("X",)), **changes)  # type: ignore[arg-type]


def test_tables_hold_what_they_say() -> None:
    assert len(set(TRANSFER_SYNTAXES)) == len(TRANSFER_SYNTAXES) > 50
    assert STORAGE_CLASSES[net.CT] == "CT Image Storage"
    assert len(STORAGE_CLASSES) > 150
    assert net.VERIFICATION not in STORAGE_CLASSES


def test_warnings_are_few() -> None:
    now = [0.0]
    log = RateLimitedLog(lambda: now[0])
    with capture_logs() as said:
        for _ in range(100):
            log.warning("stranger at the door")
        now[0] = 11
        log.warning("stranger at the door")
    assert len(said) == 6
    assert said[-1]["unsaid"] == 95


def test_rates_recover() -> None:
    rate = Rate(6)
    assert [rate.allows("a", 100.0) for _ in range(8)] == [True] * 6 + [False] * 2
    assert rate.allows("b", 100.0)
    assert not rate.allows("a", 105.0)
    assert rate.allows("a", 110.1)
    assert not rate.allows("a", 110.2)
    assert [rate.allows("a", 900.0) for _ in range(7)] == [True] * 6 + [False]
