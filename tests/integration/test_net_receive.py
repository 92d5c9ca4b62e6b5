"""Instances arrive byte for byte, from whoever sends them and in whatever pieces."""

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE, build_context
from pynetdicom.dsutils import split_dataset

from pacs_ai.errors import NoSpace
from pacs_ai.files import IncomingFile
from pacs_ai.net import commitment_dataset
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.net.scu import client
from tests import net_peer as net
from tests.conftest import missing
from tests.net_peer import Node, data_pdu, fragment

PIXELMED = Path("/usr/share/java/pixelmed.jar")

pytestmark = pytest.mark.integration


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with net.running(tmp_path) as node:
        yield node


@pytest.fixture
def series(shared: Path) -> list[Path]:
    return sorted((shared / "data" / "dicom" / "mr-brain-35").iterdir())[:5]


def datasets(files: list[Path]) -> dict[str, bytes]:
    """The data sets of files by SOP Instance UID."""
    found = {}
    for path in files:
        meta, offset = split_dataset(path)
        found[str(meta.MediaStorageSOPInstanceUID)] = path.read_bytes()[offset:]
    return found


@pytest.mark.parametrize("pdu_size", ["4096", "16384", "131072"])
def test_storescu(
    node: Node, series: list[Path], tool: Callable[[str], Path], pdu_size: str
) -> None:
    sizes = ["--max-pdu", pdu_size, "--max-send-pdu", pdu_size]
    command = [tool("storescu"), *sizes, "-aec", "SECOND", "127.0.0.1", str(node.port), *series]
    subprocess.run(command, check=True, timeout=30)
    assert node.recorder.datasets == datasets(series)
    assert {info.called_aet for info in node.recorder.opened_for} == {"SECOND"}
    assert net.eventually(lambda: node.recorder.outcomes() == ["released"])


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_storescu_of_each_encoding(node: Node, shared: Path, tool: Callable[[str], Path]) -> None:
    """One file of each syntax that storescu proposes; it encodes anew, without some padding."""
    options = {
        "-xe": "data/dicom/pydicom/test_files/CT_small.dcm",
        "-xb": "data/dicom/pydicom/test_files/ExplVR_BigEnd.dcm",
        "-xi": "data/dicom/pydicom/test_files/rtplan.dcm",
        "-xr": "data/dicom/ct-chest-11/CT2.dcm",
        "-xd": "data/dicom/pydicom/test_files/image_dfl.dcm",
        "-xw": "data/dicom/pydicom/test_files/JPEG2000.dcm",
    }
    for option, name in options.items():
        path = shared / name
        command = [tool("storescu"), option, "-aec", "AI_NODE", "127.0.0.1", str(node.port), path]
        subprocess.run(command, check=True, timeout=30)
        sent = dcmread(path)
        received = commitment_dataset.decode(
            node.recorder.datasets[sent.SOPInstanceUID], sent.file_meta.TransferSyntaxUID
        )
        left_out = {0xFFFCFFFC} | {element.tag for element in sent if element.tag.element == 0}
        assert set(sent.keys()) - set(received.keys()) <= left_out
        assert [one.tag for one in received if one != sent[one.tag]] == [], option


def test_dcmsend(node: Node, series: list[Path], tool: Callable[[str], Path]) -> None:
    command = [tool("dcmsend"), "-aec", "AI_NODE", "127.0.0.1", str(node.port), *series]
    subprocess.run(command, check=True, timeout=30)
    assert node.recorder.datasets == datasets(series)


def test_echoscu(node: Node, tool: Callable[[str], Path]) -> None:
    command = [tool("echoscu"), "--repeat", "5", "-aec", "AI_NODE", "127.0.0.1", str(node.port)]
    subprocess.run(command, check=True, timeout=30)
    other = [tool("echoscu"), "-aec", "OTHER", "127.0.0.1", str(node.port)]
    assert subprocess.run(other, check=False, timeout=30).returncode != 0


def test_pixelmed(node: Node, shared: Path, tool: Callable[[str], Path]) -> None:
    """A sender in Java that shares no code with the others; compressed, for it sends as it is."""
    if not PIXELMED.exists():
        missing("PixelMed of Debian's libpixelmed-java")
    path = shared / "data" / "dicom" / "ct-chest-11" / "CT2.dcm"
    main = "com.pixelmed.network.StorageSOPClassSCU"
    where = ["127.0.0.1", str(node.port), "AI_NODE", "PIXELMED", str(path)]
    jars = ":".join(map(str, PIXELMED.parent.glob("*.jar")))
    command = [tool("java"), "-Djava.awt.headless=true", "-cp", jars, main, *where]
    subprocess.run(command, check=True, timeout=50, capture_output=True)
    assert node.recorder.datasets == datasets([path])


def test_gdcm(node: Node, shared: Path) -> None:
    """A sender in C++ that is not DCMTK; it comes with python-gdcm and sends files as they are."""
    program = Path(sys.executable).parent / "gdcmscu"
    where = ["-H", "127.0.0.1", "-p", str(node.port), "--call", "AI_NODE", "--aetitle", "GDCM"]
    subprocess.run([program, "--echo", *where], check=True, timeout=30, capture_output=True)
    folder = shared / "data" / "dicom" / "pydicom" / "test_files"
    files = [folder / name for name in ("ExplVR_BigEnd.dcm", "JPEG2000.dcm")]
    files.append(next((shared / "data" / "dicom" / "mr-brain-35").iterdir()))
    for path in files:
        store = [program, "--store", *where, "-i", path]
        subprocess.run(store, check=True, timeout=30, capture_output=True)
    assert node.recorder.datasets == datasets(files)
    assert net.eventually(lambda: node.recorder.outcomes() == ["released"] * 4)


@pytest.mark.parametrize("max_pdu", [4096, 16384, 131072, 1 << 20, 16 << 20])
def test_pynetdicom(tmp_path: Path, series: list[Path], max_pdu: int) -> None:
    with net.running(tmp_path, replace(net.SETTINGS, max_pdu=max_pdu)) as node:
        entity = AE("SENDER")
        syntax = dcmread(series[0], stop_before_pixels=True).file_meta.TransferSyntaxUID
        contexts = [build_context(net.MR, syntax)]
        sender = entity.associate("127.0.0.1", node.port, contexts, "AI_NODE", max_pdu=max_pdu)
        assert sender.is_established
        for path in series:
            assert sender.send_c_store(path).Status == 0
        sender.release()
        assert node.recorder.datasets == datasets(series)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_every_reference_file(node: Node, shared: Path) -> None:
    """Every class, syntax and oddity there is among the reference data, as it lies on the disk."""
    files = [path for path in sorted((shared / "data" / "dicom").rglob("*")) if path.is_file()]
    files = [path for path in files if path.suffix in ("", ".dcm")]
    peer = client.PeerAddress("AI_NODE", "127.0.0.1", node.port)
    sent: dict[str, Path] = {}
    for outcome in client.store(peer, "SENDER", files):
        if outcome.status is None:
            assert outcome.error_code in ("UNSENDABLE", "CONTEXT_REJECTED")
            continue
        assert outcome.status == 0
        uid = str(split_dataset(outcome.path)[0].MediaStorageSOPInstanceUID)
        sent[uid] = outcome.path
    assert len(sent) > 400
    assert len({one.transfer_syntax_uid for one in node.recorder.received}) >= 14
    expected = datasets(list(sent.values()))
    assert [uid for uid in expected if node.recorder.datasets[uid] != expected[uid]] == []


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 4090, 16378, 65536, 999_983])
@pytest.mark.parametrize("per_pdu", [1, 3])
def test_any_fragments(node: Node, size: int, per_pdu: int) -> None:
    """Odd fragments, several to a PDU, PDUs split anywhere by TCP."""
    data = bytes(range(256)) * (4 if size < 100 else 8000)
    control = net.store_command()
    commands = [control[at : at + 50] for at in range(0, len(control), 50)]
    fragments = [fragment(1, 1, part) for part in commands[:-1]] + [fragment(1, 3, commands[-1])]
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    fragments += [fragment(1, 0, piece) for piece in pieces] + [fragment(1, 2, b"")]
    grouped = [fragments[at : at + per_pdu] for at in range(0, len(fragments), per_pdu)]
    stream = b"".join(data_pdu(*group) for group in grouped if sum(map(len, group)) < 1 << 20)
    with node.connect() as peer:
        peer.associate()
        for at in range(0, len(stream), 70_001):
            peer.send(stream[at : at + 70_001])
        assert peer.status() == 0
        peer.release()
    if all(sum(map(len, group)) < 1 << 20 for group in grouped):
        assert node.recorder.datasets["1.2.3"] == data


def test_what_the_handler_is_told(node: Node) -> None:
    uid = "1.2.840.99999.00123456"
    with node.connect() as peer:
        peer.associate(calling="CT 1")
        assert peer.store(b"\x08\0\x16\0abcd", uid) == 0
        peer.release()
    received = node.recorder.received[0]
    assert received.association.calling_aet == "CT 1"
    assert received.association.peer_ip == "127.0.0.1"
    assert (received.sop_class_uid, received.sop_instance_uid) == (net.CT, uid)
    assert (received.transfer_syntax_uid, received.bytes) == (net.IMPLICIT, 8)
    assert net.eventually(lambda: len(node.recorder.closed_with) == 1)
    assert node.recorder.closed_with[0] == (received.association, "released")


def test_the_part_is_a_dicom_file(node: Node) -> None:
    parts: list[bytes] = []
    node.recorder.keep = True
    original = node.recorder.store

    def look(received: net.ReceivedInstance) -> StoreAnswer:
        parts.append(received.file.path.read_bytes())
        return original(received)

    node.recorder.store = look  # type: ignore[method-assign]
    with node.connect() as peer:
        peer.associate()
        for length in (9, 10, 63, 64):
            uid = "1.2." + "3" * (length - 4)
            element = struct.pack("<HHL", 8, 0x18, length) + uid.encode()
            assert peer.store(element, uid) == 0
            path = node.recorder.folder / "read.dcm"
            path.write_bytes(parts[-1])
            dataset = dcmread(path)
            path.unlink()
            assert parts[-1][:132] == bytes(128) + b"DICM"
            assert dataset.file_meta.MediaStorageSOPInstanceUID == uid == dataset.SOPInstanceUID
            assert dataset.file_meta.TransferSyntaxUID == net.IMPLICIT
            assert dataset.file_meta.ImplementationVersionName.startswith("PACS_AI_")
        peer.release()


def test_the_handlers_answer_goes_out(node: Node) -> None:
    comment = "the comment, which is longer than sixty-four characters can ever be \u2620"
    node.recorder.answer = lambda _: StoreAnswer(0xC000, comment)
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, net.store_command()), fragment(1, 2, b"abcd")))
        response = peer.response()
        assert response[0x900] == struct.pack("<H", 0xC000)
        assert response[0x902] == comment.encode("ascii", "replace")[:64]
        assert response[0x1000].rstrip(b"\0") == b"1.2.3"
        assert response[0x120] == b"\x01\0"
        peer.release()


def test_a_bug_in_the_handler_is_answered(node: Node) -> None:
    def fail(_: object) -> StoreAnswer:
        raise ZeroDivisionError("Doe^John")

    node.recorder.answer = fail
    with node.connect() as peer:
        peer.associate()
        assert peer.store() == 0xC001
        node.recorder.answer = lambda _: StoreAnswer(0)
        assert peer.store() == 0
        peer.release()


def test_no_space_is_answered_and_the_rest_drained(node: Node) -> None:
    def full() -> None:
        raise NoSpace("full")

    node.recorder.before_part = full
    with node.connect() as peer:
        peer.associate()
        assert peer.store(bytes(300_000)) == 0xA700
        assert node.recorder.refusals == [0xA700]
        assert peer.echo() == 0
        node.recorder.before_part = lambda: None
        assert peer.store() == 0
        peer.release()


def test_disk_full_in_the_middle(node: Node) -> None:
    """Linux' device that is always full stands for the disk."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    discarded = []
    with node.connect() as peer, Path("/dev/full").open("wb", buffering=0) as full:
        node.recorder.open_incoming = lambda: IncomingFile("/dev/full", full.fileno())  # type: ignore[method-assign]
        node.recorder.discard = discarded.append  # type: ignore[method-assign]
        peer.associate()
        assert peer.store(bytes(300_000)) == 0xA700
        assert node.recorder.refusals == [0xA700]
        assert len(discarded) == 1
        peer.release()


def test_lost_in_the_middle(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, net.store_command()), fragment(1, 0, b"half")))
        assert net.eventually(lambda: len(node.recorder.leftovers()) == 1)
        peer.sock.close()
        assert net.eventually(lambda: node.recorder.outcomes() == ["lost"])
    assert node.recorder.leftovers() == []


def test_aborted_in_the_middle(node: Node) -> None:
    with node.connect() as peer:
        peer.associate()
        peer.send(data_pdu(fragment(1, 3, net.store_command()), fragment(1, 0, b"half")))
        peer.send(net.pdu(net.ABORT, bytes(4)))
        assert net.eventually(lambda: node.recorder.outcomes() == ["aborted"])
    assert node.recorder.leftovers() == []
