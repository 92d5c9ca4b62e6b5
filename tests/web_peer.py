"""A peer that is spoken to by HTTP: a real server that answers as a test tells it to."""

import json
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered: status, headers, body; ``drip_seconds`` between two bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drip_seconds: float = 0

    @classmethod
    def of_json(cls, content: object, status: int = 200) -> "Answer":
        """An answer in DICOM JSON."""
        body = json.dumps(content).encode()
        return cls(status, body, {"Content-Type": "application/dicom+json"})


Respond = Callable[[Asked], Answer | None]
"""What to answer; None closes the connection without an answer."""


@dataclass
class WebPeer:
    """The server; ``asked`` has what arrived."""

    url: str
    respond: Respond
    asked: list[Asked] = field(default_factory=list)


class _Handler(ABC, BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @abstractmethod
    def answer_to(self, asked: Asked) -> Answer | None:
        """Note what arrived, and return what to say to it."""

    def _take(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        asked = Asked(self.command, self.path, dict(self.headers), body)
        answer = self.answer_to(asked)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        if not answer.drip_seconds:
            self.wfile.write(answer.body)
            return
        with suppress(OSError):
            for byte in answer.body:
                self.wfile.write(bytes((byte,)))
                self.wfile.flush()
                time.sleep(answer.drip_seconds)

    do_GET = do_POST = do_DELETE = do_PUT = _take

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def web_peer(
    respond: Respond, *, certificate: tuple[Path, Path] | None = None, ca: Path | None = None
) -> Iterator[WebPeer]:
    """Run a server on a free port of this machine, by TLS if it has a certificate."""
    scheme = "http" if certificate is None else "https"

    class Handler(_Handler):
        def answer_to(self, asked: Asked) -> Answer | None:
            peer.asked.append(asked)
            return peer.respond(asked)

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of clients that go."""

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        server.socket = _context(certificate, ca).wrap_socket(server.socket, server_side=True)
    peer = WebPeer(f"{scheme}://127.0.0.1:{server.server_port}", respond)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        server.shutdown()
        server.server_close()


def _context(certificate: tuple[Path, Path], ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    if ca is not None:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
