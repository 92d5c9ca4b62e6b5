"""Peers that get notifications: a function for each kind sends a message, another probes."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from pacs_ai.config import Config, MailPeer, WebhookPeer
from pacs_ai.destinations.addresses import tls_files, web_address
from pacs_ai.errors import ConfigError, NoPasscode, PeerError
from pacs_ai.net import mail
from pacs_ai.net.http.ask import ask
from pacs_ai.net.mail import MailServer
from pacs_ai.net.refusals import PeerRefusal
from pacs_ai.net.users import read_passcode

_PREFIX = "whsec_"
_HEAD_REFUSED = frozenset({400, 404, 405, 501})


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message on its way to a peer.

    Parameters
    ----------
    id
        It does not change when the message is sent again.
    at
        When it is sent now.
    subject, text
        From the templates.
    content
        The same for programs.
    """

    id: str
    at: datetime
    subject: str
    text: str
    content: Mapping[str, Any]


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign a request as Standard Webhooks 1.0 says: HMAC-SHA256 of id, time and body.

    Parameters
    ----------
    secret
        ``whsec_`` and a key in base64, or any other text, which is the key itself.
    timestamp
        Seconds since 1970.
    """
    encoded = secret.removeprefix(_PREFIX)
    key = base64.b64decode(encoded) if secret.startswith(_PREFIX) else secret.encode()
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _post(config: Config, name: str, peer: WebhookPeer, message: OutgoingMessage) -> None:
    body = json.dumps(message.content, ensure_ascii=False).encode()
    timestamp = int(message.at.timestamp())
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
    }
    if peer.secret_file is not None:
        try:
            secret = read_passcode(peer.secret_file)
            headers["webhook-signature"] = signature(secret, message.id, timestamp, body)
        except (ConfigError, ValueError):
            raise NoPasscode(f"{peer.secret_file}: there is no secret in it") from None
    ask(web_address(config, name, peer), "POST", content=body, headers=headers)


def _mail(config: Config, name: str, peer: MailPeer, message: OutgoingMessage) -> None:
    letter = EmailMessage()
    letter["Subject"] = " ".join(message.subject.split())
    letter["From"], letter["To"] = peer.sender, ", ".join(peer.to)
    letter["Date"] = format_datetime(message.at)
    letter["Message-ID"] = f"<{message.id}@{peer.sender.partition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    mail.send(_server(config, name, peer), letter)


def _server(config: Config, name: str, peer: MailPeer) -> MailServer:
    return MailServer(
        name,
        peer.host,
        peer.port,
        peer.security,
        tls_files(config, peer),
        peer.user,
        peer.password_file,
        peer.timeout_seconds,
    )


def _probe_webhook(config: Config, name: str, peer: WebhookPeer) -> None:
    try:
        ask(web_address(config, name, peer), "HEAD")
    except PeerRefusal as error:
        if error.status not in _HEAD_REFUSED:
            raise


def _probe_mail(config: Config, name: str, peer: MailPeer) -> None:
    mail.probe(_server(config, name, peer))


Send = Callable[[Config, str, Any, OutgoingMessage], None]
Probe = Callable[[Config, str, Any], None]

MESSENGERS: dict[type[Any], tuple[Send, Probe]] = {
    WebhookPeer: (_post, _probe_webhook),
    MailPeer: (_mail, _probe_mail),
}
"""By the class of the section: what sends a message, and what looks whether one could be sent."""


def send_message(config: Config, name: str, message: OutgoingMessage) -> None:
    """Send a message to a peer.

    Raises
    ------
    PeerError
        If that fails; ``retryable`` says whether it may work later.
    """
    peer = config.peers.get(name)
    if type(peer) not in MESSENGERS:
        raise PeerError(f"{name} is no peer that gets notifications any more")
    send, _ = MESSENGERS[type(peer)]
    send(config, name, peer, message)
