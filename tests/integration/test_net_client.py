"""What we ask of peers: answers, refusals, silence, and associations that break."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, evt
from pynetdicom.ae import ApplicationEntity

from pacs_ai.errors import AssociationRejected, ContextRejected, PeerError, PeerUnreachable
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.contexts import STORAGE_CLASSES
from pacs_ai.net.scp.handlers import CommitmentRequest, StoreAnswer
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from pacs_ai.net.status import Verdict
from tests import net_peer as net
from tests.net_peer import Node

pytestmark = pytest.mark.integration


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    (tmp_path / "node").mkdir()
    with net.running(tmp_path / "node") as node:
        yield node


def at(port: int) -> PeerAddress:
    return PeerAddress("AI_NODE", "127.0.0.1", port)


def instance(
    folder: Path, number: int = 1, sop_class: str = net.CT, syntax: str = net.EXPLICIT
) -> Path:
    """Write a small instance."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class), UID(f"1.2.3.{number}")
    dataset.PatientName, dataset.Rows = "A^B", number
    path = folder / f"{number}.dcm"
    dataset.save_as(path, enforce_file_format=True)
    return path


@contextmanager
def foreign(entity: ApplicationEntity, handlers: Sequence[object] = ()) -> Iterator[PeerAddress]:
    """Run one of pynetdicom's servers."""
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=list(handlers),  # type: ignore[arg-type]
    )
    try:
        yield PeerAddress("ANYBODY", "127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def script(play: Callable[[socket.socket], None]) -> Iterator[PeerAddress]:
    """Run a server for one connection that does whatever it likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                play(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield PeerAddress("ANYBODY", "127.0.0.1", listening.getsockname()[1])
        thread.join(10)
        assert not thread.is_alive()


def test_echo(node: Node) -> None:
    client.echo(at(node.port), "US")
    assert net.eventually(lambda: node.recorder.outcomes() == ["released"])
    assert node.recorder.opened_for[0].calling_aet == "US"


def test_nobody_there(free_port: Callable[[], int]) -> None:
    with pytest.raises(PeerUnreachable):
        client.echo(at(free_port()), "US", timeout=2)


def test_rejected(node: Node) -> None:
    with pytest.raises(AssociationRejected, match="Called AE"):
        client.echo(replace(at(node.port), ae_title="OTHER"), "US")


def test_no_context_taken() -> None:
    entity = AE("ANYBODY")
    entity.supported_contexts = [build_context(net.CT)]
    with foreign(entity) as peer, pytest.raises(ContextRejected):
        client.echo(peer, "US")


def test_files_go_out_as_they_are(node: Node, tmp_path: Path) -> None:
    paths = [
        instance(tmp_path, 1),
        instance(tmp_path, 2, net.MR, net.IMPLICIT),
        instance(tmp_path, 3, net.CT, "1.2.840.10008.1.2.2"),
        instance(tmp_path, 4, net.CT, "1.2.840.10008.1.2.1.99"),
        instance(tmp_path, 5, "1.2.999.1", net.EXPLICIT),
    ]
    told: list[client.StoreOutcome] = []
    outcomes = client.store(at(node.port), "US", paths, told.append)
    assert [one.path for one in outcomes] == paths
    assert told == outcomes
    assert {one.verdict for one in outcomes} == {Verdict.SUCCESS}
    assert len(node.recorder.opened_for) == 1
    for number, path in enumerate(paths, 1):
        assert path.read_bytes().endswith(node.recorder.datasets[f"1.2.3.{number}"])


def test_a_refusal_does_not_stop_the_rest(node: Node, tmp_path: Path) -> None:
    answers = {"1.2.3.1": 0xC000, "1.2.3.2": 0xB007, "1.2.3.3": 0xA700, "1.2.3.4": 0}
    node.recorder.answer = lambda received: StoreAnswer(answers[received.sop_instance_uid])
    not_dicom = tmp_path / "5.dcm"
    not_dicom.write_text("not DICOM")
    paths = [not_dicom, *(instance(tmp_path, number) for number in range(1, 5))]
    outcomes = client.store(at(node.port), "US", paths)
    assert [one.status for one in outcomes] == [None, 0xC000, 0xB007, 0xA700, 0]
    assert [one.error_code for one in outcomes] == [
        "UNSENDABLE",
        "STORE_REFUSED",
        None,
        "STORE_REFUSED",
        None,
    ]
    verdicts = [Verdict.REFUSED, Verdict.REFUSED, Verdict.WARNING, Verdict.RETRY, Verdict.SUCCESS]
    assert [one.verdict for one in outcomes] == verdicts
    assert [one.warning for one in outcomes] == [False, False, True, False, False]


def test_nothing_sendable_needs_no_association(tmp_path: Path) -> None:
    (tmp_path / "1.dcm").write_text("not DICOM")
    outcomes = client.store(at(1), "US", [tmp_path / "1.dcm", tmp_path / "absent"])
    assert [one.error_code for one in outcomes] == ["UNSENDABLE", "UNSENDABLE"]


def test_more_contexts_than_one_association_holds(node: Node, tmp_path: Path) -> None:
    classes = list(STORAGE_CLASSES)[:70]
    paths = [instance(tmp_path, number, uid) for number, uid in enumerate(classes)]
    outcomes = client.store(at(node.port), "US", paths)
    assert [one.status for one in outcomes] == [0] * 70
    assert len(node.recorder.opened_for) == 2


def test_a_peer_that_takes_only_implicit(tmp_path: Path) -> None:
    taken = []

    def take(event: evt.Event) -> int:
        taken.append(event.dataset)
        return 0

    entity = AE("ANYBODY")
    entity.add_supported_context(net.CT, net.IMPLICIT)
    paths = [
        instance(tmp_path, 1),
        instance(tmp_path, 2, net.CT, "1.2.840.10008.1.2.1.99"),
        instance(tmp_path, 3, net.CT, "1.2.840.10008.1.2.2"),
        instance(tmp_path, 4, net.MR),
    ]
    with foreign(entity, [(evt.EVT_C_STORE, take)]) as peer:
        outcomes = client.store(peer, "US", paths)
    assert [one.status for one in outcomes] == [0, 0, None, None]
    assert [one.error_code for one in outcomes[2:]] == ["CONTEXT_REJECTED"] * 2
    assert taken == [dcmread(path) for path in paths[:2]]


def test_association_that_breaks_leaves_the_rest_for_later(tmp_path: Path) -> None:
    def take(event: evt.Event) -> int:
        if event.dataset.Rows == 2:
            event.assoc.abort()
        return 0

    entity = AE("ANYBODY")
    entity.add_supported_context(net.CT, net.EXPLICIT)
    paths = [instance(tmp_path, number) for number in range(1, 4)]
    with foreign(entity, [(evt.EVT_C_STORE, take)]) as peer:
        outcomes = client.store(peer, "US", paths)
    assert [one.status for one in outcomes] == [0, None, None]
    assert [one.verdict for one in outcomes[1:]] == [Verdict.RETRY] * 2


def test_a_peer_that_says_nothing_is_cut() -> None:
    over = threading.Event()
    with script(lambda connection: connection.recv(1 << 20) and over.wait(net.PATIENCE)) as peer:
        start = time.monotonic()
        with pytest.raises(PeerError):
            client.echo(peer, "US", timeout=0.5)
        assert time.monotonic() - start < net.SOON
        over.set()


def test_a_peer_that_hangs_while_we_send(tmp_path: Path, node: Node) -> None:
    """It accepts, then neither reads nor answers: both buffers fill."""
    path = instance(tmp_path)
    path.write_bytes(path.read_bytes() + b"\xe0\x7f\x10\0OW\0\0" + b"\0\0\0\2" + bytes(2 << 24))
    gate = threading.Event()
    node.recorder.before_part = lambda: gate.wait(net.PATIENCE) and None
    start = time.monotonic()
    outcomes = client.store(at(node.port), "US", [path], timeout=0.5)
    assert outcomes[0].verdict is Verdict.RETRY
    assert outcomes[0].error is not None
    # What a large object is given on top of the timeout does not count where nothing moves.
    assert time.monotonic() - start < net.SOON
    gate.set()


class Archive:
    """Holds one instance, and remembers what it could not deliver."""

    held = (net.CT, "1.2.3.1")

    def __init__(self) -> None:
        self.asked: list[CommitmentRequest] = []
        self.undelivered: list[CommitmentReport] = []

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        self.asked.append(request)
        held = tuple(one for one in request.references if one == self.held)
        failed = tuple((*one, 0x0112) for one in request.references if one != self.held)
        return CommitmentReport(request.transaction_uid, held, failed)

    def commitment_undelivered(self, request: CommitmentRequest, report: CommitmentReport) -> None:
        assert request in self.asked
        self.undelivered.append(report)


def test_commitment_both_ways(tmp_path: Path) -> None:
    archive = Archive()
    references = [(net.CT, "1.2.3.1"), (net.MR, "1.2.3.2")]
    with net.running(tmp_path, provider=archive) as node:
        report = client.request_commitment(at(node.port), "US", "1.2.77", references, 5)
        assert report == CommitmentReport("1.2.77", (references[0],), ((*references[1], 0x0112),))
        assert archive.asked[0].association.calling_aet == "US"
        assert net.eventually(lambda: node.recorder.outcomes() == ["released"])
    assert archive.undelivered == []


def test_commitment_that_is_not_given(node: Node) -> None:
    with pytest.raises(PeerError, match="0x0211"):
        client.request_commitment(at(node.port), "US", "1.2.77", [(net.CT, "1.2.3")], 1)


def test_report_on_an_association_of_its_own(node: Node) -> None:
    report = CommitmentReport("1.2.77", ((net.CT, "1.2.3"),), ((net.MR, "1.2.4", 0x0131),))
    client.report_commitment(at(node.port), "ARCHIVE", report)
    assert node.recorder.reports == [report]
    everything = CommitmentReport("1.2.78", ((net.CT, "1.2.3"),), ())
    client.report_commitment(at(node.port), "ARCHIVE", everything)
    assert node.recorder.reports == [report, everything]


def test_report_that_nobody_waits_for(tmp_path: Path) -> None:
    archive = Archive()
    gate = threading.Event()
    look = archive.commitment_request
    archive.commitment_request = lambda request: gate.wait(5) and look(request)  # type: ignore[assignment,method-assign,return-value]
    with net.running(tmp_path, provider=archive) as node:
        answer = client.request_commitment(at(node.port), "US", "1.2.77", [Archive.held], 0.1, 0.5)
        assert answer is None
        gate.set()
        assert net.eventually(lambda: len(archive.undelivered) == 1)


def test_wait_for_a_report_that_comes_later() -> None:
    """An archive that reports on another association: no wait longer than asked for."""
    entity = AE("ANYBODY")
    entity.add_supported_context(net.COMMITMENT)

    def accept(_: evt.Event) -> tuple[int, None]:
        return 0, None

    with foreign(entity, [(evt.EVT_N_ACTION, accept)]) as peer:
        start = time.monotonic()
        answer = client.request_commitment(peer, "US", "1.2.77", [(net.CT, "1.2.3")], 0.5)
        assert answer is None
        assert 0.4 < time.monotonic() - start < net.SOON
