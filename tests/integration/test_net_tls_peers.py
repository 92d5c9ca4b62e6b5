"""TLS towards peers, and the listener's own: names, ages, renewals, and what is said of faults."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacs_ai.errors import NoPasscode, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.net.certificates import certificates, valid_until
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import ClientTls, Login, PeerAddress
from pacs_ai.net.scu.pdu_stream import TlsEnded
from pacs_ai.net.tls import TlsFiles
from pacs_ai.net.users import Users
from tests import net_peer as net
from tests.odd_peer import instances
from tests.pki import Authority, Pair

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@contextmanager
def listening(
    folder: Path, pair: Pair, ca: Path | None = None, **changes: object
) -> Iterator[PeerAddress]:
    """A TLS-only node; give its address without any TLS."""
    (folder / "node").mkdir(exist_ok=True)
    files = TlsFiles(pair.certificate, pair.key, ca)
    settings = replace(net.SETTINGS, port=None, tls_port=0, tls=files, **changes)  # type: ignore[arg-type]
    with net.running(folder / "node", settings) as node:
        yield PeerAddress("AI_NODE", "127.0.0.1", node.server.tls_port)


def ask(where: PeerAddress, tls: ClientTls, **changes: object) -> None:
    client.echo(replace(where, tls=tls, **changes), "US", timeout=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("san", "host", "text"),
    [
        ("IP:127.0.0.1", "127.0.0.1", ""),
        ("DNS:localhost", "localhost", ""),
        ("DNS:LOCALHOST", "localhost", ""),
        ("DNS:pacs.example,IP:127.0.0.1", "127.0.0.1", ""),
        ("DNS:pacs.example", "127.0.0.1", "is for pacs.example, not for 127.0.0.1"),
        ("IP:10.0.0.1", "127.0.0.1", "is for 10.0.0.1, not for 127.0.0.1"),
        ("DNS:*.localhost", "localhost", "not for localhost"),
        ("DNS:127.0.0.1", "127.0.0.1", ""),
        ("", "127.0.0.1", "is for without-names"),
    ],
)
def test_whose_certificate_it_is(
    tmp_path: Path, authority: Authority, san: str, host: str, text: str
) -> None:
    pair = authority.sign("without-names" if not san else "named", san)
    with listening(tmp_path, pair) as where:
        there = replace(where, host=host)
        if not text:
            ask(there, ClientTls(authority.certificate))
            return
        with pytest.raises(TlsFailed, match=text):
            ask(there, ClientTls(authority.certificate))
        ask(there, ClientTls(pair.certificate))  # pinned: its names do not matter


def test_what_is_not_trusted_says_why(tmp_path: Path, authority: Authority) -> None:
    stranger = Authority(tmp_path / "other").sign("stranger")
    expired = authority.sign("expired", until="20200201000000Z")
    with listening(tmp_path, stranger) as where:
        with pytest.raises(TlsFailed, match=r"unable to get local issuer|self-signed"):
            ask(where, ClientTls(authority.certificate))
        with pytest.raises(TlsFailed, match=r"issuer|self-signed"):
            ask(where, ClientTls())
        with pytest.raises(TlsFailed, match=r"TLS authorities .*absent: cannot be read"):
            ask(where, ClientTls(tmp_path / "absent"))
    with (
        listening(tmp_path, expired) as where,
        pytest.raises(TlsFailed, match="certificate has expired"),
    ):
        ask(where, ClientTls(authority.certificate))


def test_one_side_speaks_clear_text(tmp_path: Path, authority: Authority) -> None:
    with listening(tmp_path, authority.sign("node")) as where, pytest.raises(PeerError) as raised:
        client.echo(where, "US", timeout=5)
    assert raised.value.code in ("CONNECTION_GONE", "PROTOCOL_VIOLATION")
    (tmp_path / "plain").mkdir()
    with net.running(tmp_path / "plain") as node:
        plain = PeerAddress("AI_NODE", "127.0.0.1", node.port)
        with pytest.raises(TlsFailed, match="no TLS session"):
            ask(plain, ClientTls(authority.certificate))


def test_a_client_certificate_is_shown_where_it_is_asked_for(
    tmp_path: Path, authority: Authority
) -> None:
    mine = authority.sign("mine")
    both = tmp_path / "both.pem"
    both.write_bytes(mine.certificate.read_bytes() + mine.key.read_bytes())
    with listening(tmp_path, authority.sign("node"), authority.certificate) as where:
        ask(where, ClientTls(authority.certificate, mine.certificate, mine.key))
        ask(where, ClientTls(authority.certificate, both))
        with pytest.raises(TlsFailed):
            ask(where, ClientTls(authority.certificate))


def test_who_signed_the_nodes_certificate_lets_nobody_in(
    tmp_path: Path, authority: Authority
) -> None:
    """The chain in its file says who the node is, ``ca`` alone who may call."""
    node, other = authority.sign("chained"), Authority(tmp_path / "devices")
    chain = node.certificate.read_bytes() + authority.certificate.read_bytes()
    node.certificate.write_bytes(chain)
    mine, neighbour = other.sign("mine"), authority.sign("neighbour")
    with listening(tmp_path, node, other.certificate) as where:
        ask(where, ClientTls(authority.certificate, mine.certificate, mine.key))
        with pytest.raises(TlsFailed):
            ask(where, ClientTls(authority.certificate, neighbour.certificate, neighbour.key))


@pytest.mark.parametrize("usage", ["", "serverAuth,clientAuth", "serverAuth"])
@pytest.mark.parametrize("until", ["20491231235959Z", "20200201000000Z"])
def test_the_node_knows_itself(
    tmp_path: Path, authority: Authority, usage: str, until: str
) -> None:
    """Whatever its certificate is good for, and whoever else may call: it answers its own echo."""
    from pacs_ai.destinations.addresses import ask_whether_there  # noqa: PLC0415 - of a layer above

    pair = authority.sign("itself", usage=usage, until=until)
    itself = ClientTls(certificate=pair.certificate, key=pair.key, itself=True)
    closed = {"accept_from": ("PACS",), "users": lambda: Users({"a": "b"})}
    with listening(tmp_path, pair, authority.certificate, **closed) as where:
        ask_whether_there(replace(where, tls=itself), "AI_NODE", 5)
        other = authority.sign("other")
        pretender = ClientTls(certificate=other.certificate, key=other.key, itself=True)
        with pytest.raises(TlsFailed, match="not the one"):
            ask_whether_there(replace(where, tls=pretender), "AI_NODE", 5)
        if usage != "serverAuth" and until > "2048":
            client.echo(replace(where, tls=itself), "AI_NODE", timeout=5)
        else:
            with pytest.raises(TlsEnded):
                client.echo(replace(where, tls=itself), "AI_NODE", timeout=5)


def test_renewed_certificates_are_taken_without_a_restart(tmp_path: Path) -> None:
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    pair, mine = old.sign("node"), old.sign("mine")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(old.certificate.read_bytes())
    files = ClientTls(ca, mine.certificate, mine.key)
    with listening(tmp_path, pair, ca) as where:
        ask(where, files)
        pair.certificate.write_text("half written")
        ask(where, files)  # what does not fit together changes nothing
        pair.replace_by(new.sign("node"))
        mine.replace_by(new.sign("mine"))
        with pytest.raises(TlsFailed):
            ask(where, files)
        time.sleep(0.01)  # a modification time of its own
        ca.write_bytes(new.certificate.read_bytes())
        ask(where, files)


def test_users(tmp_path: Path, authority: Authority) -> None:
    passcode = tmp_path / "passcode"
    passcode.write_text("s3cret:x\nmore\n")
    passcode.chmod(0o600)
    tls = ClientTls(authority.certificate)
    users = {"users": lambda: Users({"us": "s3cret:x"})}
    with listening(tmp_path, authority.sign("node"), **users) as where:
        ask(where, tls, login=Login("us", passcode))
        paths = instances(tmp_path)
        login = Login("us", passcode)
        outcomes = client.store(replace(where, tls=tls, login=login), "US", paths)
        assert [one.status for one in outcomes] == [0, 0]
        for login in (None, Login("us"), Login("other", passcode)):
            with pytest.raises(PeerError, match="rejects"):
                ask(where, tls, login=login)
        passcode.chmod(0o604)
        with pytest.raises(NoPasscode, match="chmod"):
            ask(where, tls, login=Login("us", passcode))
    assert "s3cret" not in repr(replace(where, tls=tls, login=Login("us", passcode)))


def test_a_peer_of_dcmtk(
    tmp_path: Path,
    authority: Authority,
    tool: Callable[[str], Path],
    free_port: Callable[[], int],
) -> None:
    pair, mine, port = authority.sign("archive"), authority.sign("mine"), free_port()
    (tmp_path / "stored").mkdir()
    shown = ["+tls", str(pair.key), str(pair.certificate), "+cf", str(authority.certificate)]
    command = [tool("storescp"), *shown, "-od", str(tmp_path / "stored"), str(port)]
    peer = PeerAddress("ANY", "127.0.0.1", port)
    files = ClientTls(authority.certificate, mine.certificate, mine.key)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert net.eventually(lambda: _answers(replace(peer, tls=files)), 20)
        outcomes = client.store(replace(peer, tls=files), "US", instances(tmp_path))
        assert [one.status for one in outcomes] == [0, 0]
        with pytest.raises(TlsFailed):
            ask(peer, ClientTls(authority.certificate))
    finally:
        process.kill()
        process.wait(net.PATIENCE)
    assert len(list((tmp_path / "stored").iterdir())) == 2


def _answers(peer: PeerAddress) -> bool:
    try:
        client.echo(peer, "US", timeout=5)
    except PeerError:
        return False
    return True


@pytest.mark.parametrize("until", ["20200201000000Z", "20491231235959Z", "20610102030405Z"])
def test_until_when_a_certificate_is_valid(authority: Authority, until: str) -> None:
    pair = authority.sign("dated", until=until)
    (der,) = certificates(pair.certificate)
    assert valid_until(der) == datetime.strptime(until, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    assert valid_until(der[:40]) is None
    assert list(certificates(pair.key)) == []


def test_a_peer_that_never_shakes_hands_is_left(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        where = PeerAddress("ANY", "127.0.0.1", silent.getsockname()[1])
        tls = ClientTls(authority.certificate)
        with pytest.raises(PeerUnreachable, match="TLS handshake"):
            client.echo(replace(where, tls=tls), "US", timeout=0.5)
        assert time.monotonic() - start < net.SOON
