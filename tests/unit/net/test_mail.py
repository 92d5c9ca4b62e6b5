"""Mail to a real server: STARTTLS, a login, refusals, and one that hangs."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pacs_ai.config import Config
from pacs_ai.destinations.messengers import OutgoingMessage, send_message
from pacs_ai.errors import PeerUnreachable, TlsFailed
from pacs_ai.net.mail import MailServer, probe, send
from pacs_ai.net.refusals import LoginRefused, PeerBusy, PeerRefusal
from pacs_ai.net.tls import ClientTls
from tests.pki import Authority
from tests.unit.store.samples import NOW

PATIENCE = 60.0
GOOD = "geheim"


@dataclass
class Post:
    """What has arrived, and what is answered to RCPT and to the mail."""

    mails: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    answer: str = "250 OK"
    recipient: str = "250 OK"

    async def handle_RCPT(
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.to.append(list(envelope.rcpt_tos))
        return self.answer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def office(post: Post, authority: Authority) -> Iterator[int]:
    """A mail server that wants STARTTLS and a login."""
    pair = authority.sign("mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)

    def login(*given: object) -> AuthResult:
        data = given[-1]
        well = isinstance(data, LoginPassword) and data.password == GOOD.encode()
        return AuthResult(success=well, handled=well)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(
        post,
        "127.0.0.1",
        port,
        tls_context=context,
        require_starttls=True,
        authenticator=login,
        auth_required=True,
        ready_timeout=PATIENCE,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def server(port: int, authority: Authority, folder: Path, password: str = GOOD) -> MailServer:
    path = folder / "password"
    path.write_text(password)
    path.chmod(0o600)
    tls = ClientTls(authority.certificate)
    return MailServer("post", "127.0.0.1", port, "starttls", tls, "ai", path, PATIENCE)


def mail() -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"], letter["From"], letter["To"] = "Überfällig", "a@x.example", "b@x.example"
    letter.set_content("fünf")
    return letter


def test_a_notification_arrives(authority: Authority, tmp_path: Path) -> None:
    post = Post()
    with office(post, authority) as port:
        where = server(port, authority, tmp_path)
        peer = {
            "kind": "mail",
            "host": "127.0.0.1",
            "port": port,
            "ca": str(authority.certificate),
            "user": "ai",
            "password_file": str(where.password_file),
            "sender": "ai@x.example",
            "to": ["desk@x.example", "on-call@x.example"],
        }
        config = Config.model_validate({"peers": {"desk": peer}})
        message = OutgoingMessage("4711", NOW, "1 result\nBcc: x@x.example", "Lesion ü\n", {})
        send_message(config, "desk", message)
        probe(where)
    (letter,) = post.mails
    assert post.to == [["desk@x.example", "on-call@x.example"]]
    assert letter["Subject"] == "1 result Bcc: x@x.example"
    assert letter["Message-ID"] == "<4711@x.example>"
    assert letter.get_content().split() == ["Lesion", "ü"]


def test_what_the_server_may_answer(authority: Authority, tmp_path: Path) -> None:
    post = Post()
    with office(post, authority) as port:
        where = server(port, authority, tmp_path)
        for answer, recipient, error in (
            ("451 later", "250 OK", PeerBusy),
            ("554 no", "250 OK", PeerRefusal),
            ("250 OK", "450 later", PeerBusy),
            ("250 OK", "550 nobody", PeerRefusal),
        ):
            post.answer, post.recipient = answer, recipient
            with pytest.raises(error):
                send(where, mail())
        with pytest.raises(LoginRefused):
            send(server(port, authority, tmp_path, "wrong"), mail())


def test_tls_is_not_left_out(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "other")
    with office(Post(), authority) as port, pytest.raises(TlsFailed):
        send(server(port, other, tmp_path), mail())
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
    controller = Controller(Post(), "127.0.0.1", port, ready_timeout=PATIENCE)
    controller.start()
    try:
        with pytest.raises(TlsFailed):
            send(server(port, authority, tmp_path), mail())
    finally:
        controller.stop()


def test_a_server_that_is_silent_or_gone(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(PeerUnreachable):
        send(server(1, authority, tmp_path), mail())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = server(silent.getsockname()[1], authority, tmp_path)
        slow = MailServer(
            where.name, where.host, where.port, "none", where.tls, None, None, timeout=0.3
        )
        with pytest.raises(PeerUnreachable):
            send(slow, mail())
