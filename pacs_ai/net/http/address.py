"""Where a peer is that is spoken to by HTTP, and how it wants to be spoken to."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pacs_ai.net.tls import ClientTls


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A peer that is spoken to by HTTP.

    Parameters
    ----------
    name
        What errors call the peer.
    url
        ``http://`` or ``https://``.
    tls
        Which authorities to trust, and what to show.
    user, password_file
        For basic authentication (RFC 7617).
    token_file
        File whose first line is a bearer token (RFC 6750).
    timeout
        Seconds for which the peer may be silent.
    """

    name: str
    url: str
    tls: ClientTls = field(default_factory=ClientTls)
    user: str | None = None
    password_file: Path | None = None
    token_file: Path | None = None
    timeout: float = 30

    @property
    def host(self) -> str:
        """Host of the URL."""
        return urlsplit(self.url).hostname or ""
