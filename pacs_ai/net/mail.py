"""Mail to a server (SMTP, RFC 5321), with TLS by our rules."""

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from pacs_ai.errors import ConfigError, NoPasscode, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.net import open_connections
from pacs_ai.net.refusals import LoginRefused, PeerBusy, PeerRefusal
from pacs_ai.net.tls import ClientTls, check_peer, client_context, tls_reason
from pacs_ai.net.users import read_passcode

_FINAL = 500
"""SMTP answers from here on will not change by trying again (RFC 5321, 4.2.1)."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes.

    Parameters
    ----------
    name
        What errors call it.
    security
        ``starttls``, ``tls`` from the first byte, or ``none``.
    user, password_file
        For the login; None for none.
    """

    name: str
    host: str
    port: int
    security: str
    tls: ClientTls
    user: str | None
    password_file: Path | None
    timeout: float


def send(server: MailServer, mail: EmailMessage) -> None:
    """Send a mail to all that it names.

    Raises
    ------
    PeerUnreachable, TlsFailed, NoPasscode, LoginRefused, PeerBusy
        If that may change.
    PeerRefusal
        If the server refuses the mail, or one of those who should get it.
    """
    try:
        with _connected(server) as client:
            refused = client.send_message(mail)
    except smtplib.SMTPException as error:
        raise _meant(server, error) from error
    except ssl.SSLError as error:
        raise TlsFailed(f"{server.name}: no TLS session: {tls_reason(error)}") from error
    except OSError as error:
        raise PeerUnreachable(f"{server.name}: {error.strerror or 'no answer in time'}") from error
    if refused:
        raise PeerRefusal(f"{server.name} takes no mail for {len(refused)} of its addresses")


def probe(server: MailServer) -> None:
    """Connect and log in, and send nothing; see `send` for the errors."""
    try:
        with _connected(server) as client:
            client.noop()
    except smtplib.SMTPException as error:
        raise _meant(server, error) from error
    except OSError as error:
        raise PeerUnreachable(f"{server.name}: {error.strerror or 'no answer in time'}") from error


class _Cuttable:
    """Lets a node that stops end the connection."""

    def __init__(self, client: smtplib.SMTP) -> None:
        self._client = client

    def cut(self) -> None:
        """End it from another thread."""
        with suppress(OSError):
            if self._client.sock is not None:
                socket.socket.shutdown(self._client.sock, socket.SHUT_RDWR)


@contextmanager
def _connected(server: MailServer) -> Iterator[smtplib.SMTP]:
    try:
        context = client_context(server.tls)
        password = "" if server.password_file is None else read_passcode(server.password_file)
    except ConfigError as error:
        kind = TlsFailed if "TLS" in error.message else NoPasscode
        raise kind(error.message) from None
    address = (server.host, server.port)
    if server.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(*address, timeout=server.timeout, context=context)
    else:
        client = smtplib.SMTP(*address, timeout=server.timeout)
    cuttable = _Cuttable(client)
    open_connections.opened(cuttable)
    try:
        if server.security == "starttls":
            client.starttls(context=context)
        if isinstance(client.sock, ssl.SSLSocket):
            check_peer(client.sock, server.tls, server.host, server.name)
        if server.user is not None:
            client.login(server.user, password)
        yield client
    finally:
        open_connections.closed(cuttable)
        client.close()


def _meant(server: MailServer, error: smtplib.SMTPException) -> PeerError:
    """Return what an error of the protocol means; never what the server said: it may quote."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return LoginRefused(f"{server.name} refuses user and password")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return TlsFailed(f"{server.name} does not offer what is configured: TLS, or a login")
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        final = all(code >= _FINAL for code in codes)
        text = f"{server.name} takes no mail for any of its addresses"
        return PeerRefusal(text, max(codes)) if final else PeerBusy(text)
    code = getattr(error, "smtp_code", None)
    if code is None:
        return PeerUnreachable(f"{server.name}: the connection was closed")
    text = f"{server.name} answers with {code}"
    return PeerRefusal(text, code) if code >= _FINAL else PeerBusy(text)
