"""``[peers.x]`` that get messages instead of DICOM objects: HL7, FHIR, webhooks, mail."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pacs_ai.config.sections import Host, PeerPort, Seconds
from pacs_ai.config.web_peers import TlsPeer, WebPeer
from pacs_ai.domain import ResultKind

_MAILBOX = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def _mailbox(address: str) -> str:
    if _MAILBOX.fullmatch(address) is None or not address.isascii():
        raise ValueError("must be a mail address, such as pacs@hospital.example")
    return address


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class MllpPeer(TlsPeer):
    """``kind = "mllp"``: a receiver of HL7 messages, each with its acknowledgement."""

    takes: ClassVar[frozenset[ResultKind]] = frozenset({ResultKind.HL7})

    kind: Literal["mllp"]
    """What the destination is."""
    host: Host
    """Its address."""
    port: PeerPort
    """Its TCP port."""
    tls: bool | None = None
    """Speak TLS to it; ``false`` allows clear text although the node takes TLS only."""
    timeout_seconds: Seconds = 30
    """How long to wait for an acknowledgement."""

    @property
    def where(self) -> str:
        """Host and port, and whether TLS is spoken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"mllp://{host}:{self.port}" + (", TLS" if self.tls else "")

    @property
    def host_name(self) -> str:
        """Its host."""
        return self.host

    @property
    def speaks_tls(self) -> bool:
        """Whether the section says so."""
        return bool(self.tls)

    @property
    def undecided_tls(self) -> bool:
        """Whether nothing says if clear text is meant."""
        return self.tls is None


class FhirPeer(WebPeer):
    """``kind = "fhir"``: a FHIR R4 server that takes transactions."""

    takes: ClassVar[frozenset[ResultKind]] = frozenset({ResultKind.FHIR})

    kind: Literal["fhir"]
    """What the destination is."""
    task: bool = False
    """Add a Task of priority ``stat`` that asks somebody to look at the report at once."""


class WebhookPeer(WebPeer):
    """``kind = "webhook"``: a program that gets notifications as signed requests."""

    takes: ClassVar[frozenset[ResultKind]] = frozenset()

    kind: Literal["webhook"]
    """What the destination is."""
    secret_file: Path | None = None
    """File whose first line is the secret that requests are signed with; its owner alone may read
    it."""


class MailPeer(TlsPeer):
    """``kind = "mail"``: people who get notifications by mail."""

    takes: ClassVar[frozenset[ResultKind]] = frozenset()

    kind: Literal["mail"]
    """What the destination is."""
    host: Host
    """The mail server."""
    port: PeerPort = 587
    """Its TCP port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How TLS begins; ``none`` for a server on this machine."""
    user: str | None = Field(None, min_length=1)
    """Name to log in with."""
    password_file: Path | None = None
    """File whose first line is the password of ``user``; its owner alone may read it."""
    sender: Mailbox
    """Who the mail is from."""
    to: tuple[Mailbox, ...] = Field(min_length=1)
    """Who gets it."""
    timeout_seconds: Seconds = 30
    """How long to wait for the mail server."""

    @property
    def where(self) -> str:
        """The mail server and who gets the mail."""
        return f"{', '.join(self.to)} by {self.host}:{self.port}"

    @property
    def host_name(self) -> str:
        """The mail server."""
        return self.host

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS is spoken, from the beginning or after STARTTLS."""
        return self.security != "none"

    @model_validator(mode="after")
    def _login(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file need each other")
        if self.user is not None and self.security == "none":
            raise ValueError("a password needs starttls or tls")
        return self
