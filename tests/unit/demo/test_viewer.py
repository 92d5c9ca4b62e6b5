"""The viewer's server: OHIF's files, and the node's DICOMweb under the same address."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest

from pacs_ai.demo.viewer import make_server, settings
from tests.ports import free_port

Answer = tuple[int, dict[str, str], bytes]


class NodeAnswer(BaseHTTPRequestHandler):
    """What a node may answer: with a length, in chunks, with no body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind = self.path.rpartition("/")[2]
        said = f"{self.path} {self.headers['Host']} {self.headers['Accept']}".encode()
        self.send_response(204 if kind == "nothing" else 200)
        if kind == "chunks":
            self.send_header("Transfer-Encoding", "chunked")
            body = b"".join(b"1\r\n%c\r\n" % byte for byte in said) + b"0\r\n\r\n"
        else:
            body = b"" if kind == "nothing" else said
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/dicom+json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(server: HTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_text("the viewer")
    (folder / "app.js").write_text("code")
    (folder / "decoder.wasm").write_bytes(b"\0asm")
    return folder


@pytest.fixture
def port(files: Path) -> Iterator[int]:
    with (
        serving(ThreadingHTTPServer(("127.0.0.1", 0), NodeAnswer)) as node,
        serving(make_server(files, settings(), node)) as port,
    ):
        yield port


def ask(port: int, path: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={"Accept": "some/thing"})
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("/", "text/html", b"the viewer"),
        ("/viewer?StudyInstanceUIDs=1.2", "text/html", b"the viewer"),
        ("/app.js", "text/javascript", b"code"),
        ("/decoder.wasm", "application/wasm", b"\0asm"),
    ],
)
def test_files_are_served(port: int, path: str, kind: str, content: bytes) -> None:
    status, headers, body = ask(port, path)
    assert (status, body) == (200, content)
    assert headers["content-type"] in (kind, "application/javascript")
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert "http" not in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/no.js", "/../secret.txt", "/%2e%2e/secret.txt"])
def test_what_is_not_there_is_not_found(port: int, path: str) -> None:
    status, _, body = ask(port, path)
    assert status == 404
    assert b"secret" not in body


def test_the_settings_name_the_node_alone(port: int) -> None:
    _, _, body = ask(port, "/app-config.js")
    config = json.loads(body.decode().removeprefix("window.config = ").rstrip(";\n"))
    [source] = config["dataSources"]
    assert source["configuration"]["qidoRoot"] == "/dicom-web"
    assert b"http" not in body


@pytest.mark.parametrize("kind", ["length", "chunks"])
def test_dicomweb_is_passed_on(port: int, kind: str) -> None:
    status, headers, body = ask(port, f"/dicom-web/studies/{kind}")
    assert status == 200
    assert headers["content-type"] == "application/dicom+json"
    assert body.decode() == f"/dicom-web/studies/{kind} 127.0.0.1:{port} some/thing"


def test_an_answer_without_a_body_is_passed_on(port: int) -> None:
    assert ask(port, "/dicom-web/studies/nothing")[::2] == (204, b"")


def test_a_node_that_is_gone_is_told(files: Path) -> None:
    with serving(make_server(files, settings(), free_port())) as port:
        assert ask(port, "/dicom-web/studies")[0] == 502
