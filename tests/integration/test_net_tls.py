"""DICOM over TLS: who is served, who is not, and that nobody's handshake waits for another's."""

import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pacs_ai.errors import ConfigError, TlsFailed
from pacs_ai.net.scu import client
from pacs_ai.net.tls import ClientTls, TlsFiles, client_context, server_context
from tests import net_peer as net
from tests.conftest import require

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a node and a client that it vouches for, and a stranger."""
    folder = tmp_path_factory.mktemp("keys")

    program = require("openssl")

    def openssl(*arguments: str) -> None:
        subprocess.run([program, *arguments], check=True, cwd=folder, capture_output=True)

    subject = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
    for name in ("ca", "stranger"):
        openssl(
            "req", "-x509", *subject, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem"
        )
    (folder / "extension").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("node", "client"):
        openssl("req", *subject, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        openssl(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            *signing,
            "-extfile",
            "extension",
            "-out",
            f"{name}.pem",
        )
    return folder


def ended(sock: socket.socket) -> bool:
    """Whether the other side closes, perhaps after an alert."""
    sock.settimeout(net.PATIENCE)
    try:
        while sock.recv(1000):
            pass
    except ConnectionResetError:
        pass
    return True


def settings(keys: Path, *, mutual: bool = False, port: int | None = None) -> net.ServerSettings:
    files = TlsFiles(keys / "node.pem", keys / "node.key", keys / "ca.pem" if mutual else None)
    return replace(net.SETTINGS, port=port, tls_port=0, tls=files, acse_seconds=1)


def test_dcmtk(tmp_path: Path, keys: Path, shared: Path, tool: Callable[[str], Path]) -> None:
    path = shared / "data" / "dicom" / "pydicom" / "test_files" / "CT_small.dcm"
    with net.running(tmp_path, settings(keys)) as node:
        target = ["-aec", "AI_NODE", "127.0.0.1", str(node.server.tls_port)]
        trust = ["+tla", "+cf", str(keys / "ca.pem")]
        subprocess.run([tool("echoscu"), *trust, *target], check=True, timeout=20)
        subprocess.run([tool("storescu"), *trust, *target, path], check=True, timeout=20)
        distrust = ["+tla", "+cf", str(keys / "stranger.pem")]
        assert (
            subprocess.run(
                [tool("echoscu"), *distrust, *target], check=False, timeout=20
            ).returncode
            != 0
        )
        assert len(node.recorder.received) == 1


def test_mutual(tmp_path: Path, keys: Path, tool: Callable[[str], Path]) -> None:
    with net.running(tmp_path, settings(keys, mutual=True)) as node:
        target = ["-aec", "AI_NODE", "127.0.0.1", str(node.server.tls_port)]
        trust = ["+cf", str(keys / "ca.pem")]

        def echo(name: str) -> int:
            shown = ["+tls", str(keys / f"{name}.key"), str(keys / f"{name}.pem")]
            return subprocess.run(
                [tool("echoscu"), *shown, *trust, *target], check=False, timeout=20
            ).returncode

        assert echo("client") == 0
        assert echo("stranger") != 0
        anonymous = [tool("echoscu"), "+tla", *trust, *target]
        assert subprocess.run(anonymous, check=False, timeout=20).returncode != 0


def test_our_own_client(tmp_path: Path, keys: Path) -> None:
    with net.running(tmp_path, settings(keys, mutual=True)) as node:
        files = ClientTls(keys / "ca.pem", keys / "client.pem", keys / "client.key")
        peer = client.PeerAddress("AI_NODE", "127.0.0.1", node.server.tls_port, files)
        client.echo(peer, "US", timeout=5)
        with pytest.raises(TlsFailed):
            client.echo(replace(peer, tls=ClientTls(keys / "ca.pem")), "US", timeout=5)
        with pytest.raises(TlsFailed):
            client.echo(replace(peer, tls=ClientTls(keys / "stranger.pem")), "US", timeout=5)


def test_the_plain_port_beside_it(tmp_path: Path, keys: Path) -> None:
    with net.running(tmp_path, settings(keys, port=0)) as node:
        client.echo(client.PeerAddress("AI_NODE", "127.0.0.1", node.server.port), "US")
    with net.running(tmp_path, settings(keys)) as node:
        assert node.server.port == 0


def test_silent_clients_delay_nobody(tmp_path: Path, keys: Path) -> None:
    with net.running(tmp_path, settings(keys)) as node:
        port = node.server.tls_port
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        peer = client.PeerAddress("AI_NODE", "127.0.0.1", port, ClientTls(keys / "ca.pem"))
        client.echo(peer, "US", timeout=net.SOON)
        for one in silent:
            assert ended(one)
            one.close()


def test_clear_text_on_the_tls_port(tmp_path: Path, keys: Path) -> None:
    with net.running(tmp_path, settings(keys)) as node, net.Peer(node.server.tls_port) as peer:
        peer.send(net.request())
        assert node.recorder.opened_for == []
        assert ended(peer.sock)


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_2, "AES128-SHA256"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-SHA256"),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_ciphers_are_refused(
    tmp_path: Path, keys: Path, version: ssl.TLSVersion, ciphers: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(keys / "ca.pem")
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with (
        net.running(tmp_path, settings(keys)) as node,
        socket.create_connection(("127.0.0.1", node.server.tls_port)) as sock,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(sock, server_hostname="127.0.0.1").close()


def test_large_instance_and_an_abort(tmp_path: Path, keys: Path) -> None:
    """Records are smaller than PDUs; what is said last is said within the session."""
    context = client_context(ClientTls(keys / "ca.pem"))
    with net.running(tmp_path, settings(keys)) as node:
        peer = net.Peer(node.server.tls_port)
        peer.sock = context.wrap_socket(peer.sock, server_hostname="127.0.0.1")
        with peer:
            peer.associate()
            data = bytes(range(256)) * 4000
            assert peer.store(data) == 0
            assert node.recorder.datasets["1.2.3"] == data
            peer.send(net.pdu(9, b""))
            assert peer.pdu() == (net.ABORT, bytes((0, 0, 2, 1)))


def test_files_that_cannot_be_used(tmp_path: Path, keys: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    for files in (
        TlsFiles(tmp_path / "absent.pem", keys / "node.key"),
        TlsFiles(nonsense, keys / "node.key"),
        TlsFiles(keys / "node.pem", keys / "client.key"),
        TlsFiles(keys / "node.pem", keys / "node.key", nonsense),
    ):
        with pytest.raises(ConfigError):
            server_context(files)
