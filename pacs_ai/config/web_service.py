"""What is spoken to by TLS or HTTP: its address, and how this node shows who it is."""

import ipaddress
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pacs_ai.config.sections import Seconds, Section


def _url(url: str) -> str:
    wrong = "must be an address that begins with http:// or https://"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        raise ValueError(wrong) from None
    if not usable or any(sign <= " " for sign in url):
        raise ValueError(wrong)
    if parts.username or parts.password:
        raise ValueError("must not hold a password: set user and password_file")
    if parts.query or parts.fragment:
        raise ValueError("must end before ? and #")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]


class TlsFiles(Section):
    """The files for TLS towards a peer."""

    ca: Path | None = None
    """PEM file with the authorities of its certificate, or the certificate; not set: those of
    ``[tls]``, else the system's."""
    certificate: Path | None = None
    """PEM file that shows it who we are, where it asks; not set: that of ``[tls]``."""
    key: Path | None = None
    """PEM file with the certificate's private key; not set: it stands in ``certificate``."""

    @property
    @abstractmethod
    def speaks_tls(self) -> bool:
        """Whether TLS is spoken to it."""

    @model_validator(mode="after")
    def _key_of_certificate(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("key needs certificate")
        return self


class WebService(TlsFiles):
    """Where a service is, and what it is shown."""

    url: Url
    """Its address."""
    user: str | None = Field(None, min_length=1, pattern=r"^[^:]*$")
    """Name for basic authentication."""
    password_file: Path | None = None
    """File whose first line is the password of ``user``; its owner alone may read it."""
    token_file: Path | None = None
    """File whose first line is a bearer token, instead of user and password."""
    timeout_seconds: Seconds = 30
    """How long to wait for a peer that is silent."""

    @property
    def speaks_tls(self) -> bool:
        """Whether its address says so."""
        return urlsplit(self.url).scheme == "https"

    @model_validator(mode="after")
    def _credentials(self) -> Self:
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file need each other")
        if self.user is not None and self.token_file is not None:
            raise ValueError("set either user or token_file")
        secret = self.password_file or self.token_file
        if secret is not None and not self.speaks_tls and not _this_machine(self.url):
            raise ValueError("a password or token needs https:// for another machine")
        if not self.speaks_tls and (self.ca or self.certificate):
            raise ValueError("ca and certificate need https://")
        return self


class Deletion(WebService):
    """``[peers.x] delete``: where results are deleted that do not hold any more."""

    kind: Literal["dicomweb", "orthanc"]
    """Whose request it is: DELETE as DICOMweb servers offer it, or the REST API of Orthanc."""


def _this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
