"""The client of DICOMweb towards servers that answer well, badly, slowly or not at all."""

import base64
from pathlib import Path

import pytest

from pacs_ai.errors import NoPasscode, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.net import open_connections
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.refusals import LoginRefused, PeerBusy, PeerRefusal
from pacs_ai.net.tls import ClientTls
from tests.pki import Authority
from tests.web_peer import Answer, Asked, web_peer

PATIENCE = 60.0
NOTHING = Answer.of_json([])


def study(uid: str) -> dict[str, object]:
    return {"0020000D": {"vr": "UI", "Value": [uid]}}


def secret(folder: Path, text: str) -> Path:
    path = folder / "secret"
    path.write_text(f"{text}\n")
    path.chmod(0o600)
    return path


def search(url: str, **options: object) -> list[str]:
    address = WebAddress("pacs", url, **{"timeout": PATIENCE, **options})  # type: ignore[arg-type]
    with DicomwebPeerClient(address) as client:
        return [str(one.StudyInstanceUID) for one in client.search("studies", {"PatientID": "1"})]


def test_all_matches_are_asked_for_page_by_page() -> None:
    pages = {None: ["1.2", "1.3"], "2": ["1.4"]}

    def respond(asked: Asked) -> Answer:
        offset = dict(part.split("=") for part in asked.path.partition("?")[2].split("&"))
        return Answer.of_json([study(uid) for uid in pages.get(offset.get("offset"), [])])

    with web_peer(respond) as peer:
        assert search(peer.url) == ["1.2", "1.3", "1.4"]
        assert peer.asked[0].path.startswith("/studies?")
        assert peer.asked[0].headers["Host"] in peer.url


def test_a_peer_without_pages_does_not_keep_us_for_ever() -> None:
    with web_peer(lambda _: Answer.of_json([study("1.2")])) as peer:
        assert search(peer.url) == ["1.2"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, LoginRefused),
        (403, LoginRefused),
        (503, PeerBusy),
        (500, PeerBusy),
        (404, PeerRefusal),
        (302, PeerError),
    ],
)
def test_a_status_is_an_error(status: int, error: type[PeerError]) -> None:
    with web_peer(lambda _: Answer(status, headers={"Location": "http://127.0.0.1:1/"})) as peer:
        with pytest.raises(error):
            search(peer.url)
        assert len(peer.asked) == 1


def test_nobody_there_and_no_answer() -> None:
    with pytest.raises(PeerUnreachable):
        search("http://127.0.0.1:1")
    with web_peer(lambda _: None) as peer, pytest.raises(PeerUnreachable):
        search(peer.url)


@pytest.mark.parametrize("body", [b"<html>", b'{"a"', b"[[1]]"])
def test_an_answer_that_is_none_of_dicomweb(body: bytes) -> None:
    with web_peer(lambda _: Answer(200, body)) as peer, pytest.raises(PeerError):
        search(peer.url)


def test_an_answer_byte_by_byte_is_cut_off() -> None:
    slow = Answer(200, b" " * 10_000, drip_seconds=0.05)
    with web_peer(lambda _: slow) as peer, pytest.raises(PeerUnreachable):
        search(peer.url, timeout=0.5)


def test_a_node_that_stops_does_not_wait_for_an_answer() -> None:
    def respond(_: Asked) -> Answer:
        open_connections.cut_all()
        return NOTHING

    with web_peer(respond) as peer, pytest.raises(PeerUnreachable):
        search(peer.url)


def test_a_password_and_a_token_are_shown(tmp_path: Path) -> None:
    path = secret(tmp_path, "geheim")
    with web_peer(lambda _: NOTHING) as peer:
        search(peer.url, user="ü", password_file=path)
        search(peer.url, token_file=path)
        basic = base64.b64encode("ü:geheim".encode()).decode()
        shown = [one.headers["Authorization"] for one in peer.asked]
        assert shown == [f"Basic {basic}", "Bearer geheim"]
        path.chmod(0o644)
        with pytest.raises(NoPasscode):
            search(peer.url, token_file=path)


def test_no_proxy_and_no_password_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with web_peer(lambda _: NOTHING) as peer:
        assert search(peer.url) == []
        assert "Authorization" not in peer.asked[0].headers


def test_both_sides_show_a_certificate(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "other")
    server, node = authority.sign("server"), authority.sign("node")
    elsewhere = authority.sign("elsewhere", "DNS:elsewhere")
    files = (server.certificate, server.key)
    mine = ClientTls(authority.certificate, node.certificate, node.key)
    with web_peer(lambda _: NOTHING, certificate=files, ca=authority.certificate) as peer:
        assert search(peer.url, tls=mine) == []
        with pytest.raises(PeerError):
            search(peer.url, tls=ClientTls(authority.certificate))
        with pytest.raises(TlsFailed, match="its certificate is refused"):
            search(peer.url, tls=ClientTls(other.certificate, node.certificate, node.key))
        with pytest.raises(TlsFailed):  # the authorities of the system do not know it
            search(peer.url)
    files = (elsewhere.certificate, elsewhere.key)
    with web_peer(lambda _: NOTHING, certificate=files) as peer:
        with pytest.raises(TlsFailed, match="is for elsewhere"):
            search(peer.url, tls=ClientTls(authority.certificate))
        assert search(peer.url, tls=ClientTls(elsewhere.certificate)) == []
