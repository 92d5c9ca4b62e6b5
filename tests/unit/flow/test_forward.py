"""Audit messages to a syslog server over TLS."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from pacs_ai.config.sections import Audit
from pacs_ai.flow.audit import note
from pacs_ai.flow.audit.forward import Forwarder
from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.context import FlowContext
from pacs_ai.net import syslog
from pacs_ai.phantom import write_phantom_study
from tests.databases import new_database
from tests.pki import Authority
from tests.ports import free_port
from tests.unit.flow.ledger_node import node_on
from tests.unit.store import samples
from tests.unit.store.samples import NOW

PATIENT = "PAT&1"


class SyslogServer:
    """Takes connections, and keeps the messages (RFC 5425: a length, a space, so many bytes)."""

    def __init__(
        self, authority: Authority, port: int, *, pause: float = 0, reads: bool = True
    ) -> None:
        pair = authority.sign("syslog")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._socket = socket.create_server(("127.0.0.1", port))
        self._pause, self._reads = pause, reads
        self.ended = threading.Event()
        self.messages: list[str] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        plain, _ = self._socket.accept()
        self._socket.close()
        received = b""
        with (
            plain,
            suppress(ssl.SSLError, OSError),  # the client may refuse the certificate
            self._context.wrap_socket(plain, server_side=True) as secured,
        ):
            time.sleep(self._pause)
            if not self._reads:
                self.ended.wait(30)
            while self._reads and (part := secured.recv(65536)):
                received += part
        while received:
            length, _, received = received.partition(b" ")
            self.messages.append(received[: int(length)].decode())
            received = received[int(length) :]

    def wait(self) -> list[str]:
        self.thread.join(30)
        return self.messages


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def node(authority: Authority, port: int, tmp_path: Path) -> FlowContext:
    """A node that has received one instance of a patient with a name that XML has to escape."""
    context = node_on(new_database(tmp_path), tmp_path)
    audit = Audit(syslog="127.0.0.1", port=port, ca=authority.certificate)
    context = replace(context, config=context.config.model_copy(update={"audit": audit}))
    file = write_phantom_study(tmp_path / "made", "CR", 5, lesion=True).files[0]
    dataset = pydicom.dcmread(file)
    dataset.PatientID = PATIENT
    path = context.spool.path_of("node/instances/aa/1.dcm")
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    with context.database.write("MODALITY", NOW) as transaction:
        by = samples.sender(context.patient_key(PATIENT))
        samples.add_instance(transaction, samples.arrival(), by)
    Sealer(context, "node").all()
    return context


def with_patient(context: FlowContext) -> FlowContext:
    audit = context.config.audit.model_copy(update={"patient_id": True})
    return replace(context, config=context.config.model_copy(update={"audit": audit}))


def test_messages_are_sent_once_and_name_no_patient(
    node: FlowContext, authority: Authority, port: int
) -> None:
    server = SyslogServer(authority, port)
    forwarder = Forwarder(node)
    assert forwarder.sweep() == 1
    assert forwarder.sweep() == 0
    (message,) = server.wait()
    assert message.startswith("<85>1 2026-01-02T03:04:05.000000Z node pacs-ai - DICOM+RFC3881 - ")
    assert "\ufeff<AuditMessage>" in message
    assert node.patient_key(PATIENT) in message
    assert "PAT" not in message
    assert Forwarder(node).sweep() == 0  # a node that starts again knows what was sent


def test_the_patient_id_is_sent_where_the_key_says_so(
    node: FlowContext, authority: Authority, port: int
) -> None:
    server = SyslogServer(authority, port)
    assert Forwarder(with_patient(node)).sweep() == 1
    (message,) = server.wait()
    assert 'ParticipantObjectID="PAT&amp;1"' in message
    assert node.patient_key(PATIENT) not in message


def test_without_the_file_the_hash_is_sent(
    node: FlowContext, authority: Authority, port: int
) -> None:
    node.spool.delete("node/instances/aa/1.dcm")
    server = SyslogServer(authority, port)
    assert Forwarder(with_patient(node)).sweep() == 1
    assert node.patient_key(PATIENT) in server.wait()[0]


def test_messages_wait_for_a_server_that_is_away(
    node: FlowContext, authority: Authority, port: int
) -> None:
    forwarder = Forwarder(node)
    assert forwarder.sweep() == 0
    server = SyslogServer(authority, port)
    assert forwarder.sweep() == 1
    assert len(server.wait()) == 1


def test_nothing_is_sent_to_a_server_with_another_certificate(
    node: FlowContext, port: int, tmp_path: Path
) -> None:
    server = SyslogServer(Authority(tmp_path / "other", "other"), port)
    assert Forwarder(node).sweep() == 0
    assert server.wait() == []
    assert not (node.spool.home / "audit.sent").exists()


def test_what_a_server_has_not_read_counts_as_not_sent(
    node: FlowContext, authority: Authority, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system takes what is sent, so a server that hangs looks like one that reads."""
    monkeypatch.setattr(syslog, "_SECONDS", 0.5)
    hanging = SyslogServer(authority, port, reads=False)
    assert Forwarder(node).sweep() == 0
    hanging.ended.set()
    assert hanging.wait() == []
    monkeypatch.undo()
    server = SyslogServer(authority, port)
    assert Forwarder(node).sweep() == 1
    assert len(server.wait()) == 1


def test_a_server_that_reads_late_gets_every_message(
    node: FlowContext, authority: Authority, port: int
) -> None:
    """Its session tickets are not read: a connection that is closed at once would be reset."""
    for number in range(200):
        note.exported(node, 1, f"{number} " + "x" * 2000)
    Sealer(node, "node").all()
    server = SyslogServer(authority, port, pause=0.5)
    assert Forwarder(node).sweep() == 201
    assert len(server.wait()) == 201
