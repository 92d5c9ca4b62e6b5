"""``[peers.x]`` that are spoken to by HTTP."""

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from pacs_ai.config.peers import Peer
from pacs_ai.config.web_service import TlsFiles, WebService


class TlsPeer(TlsFiles, Peer):
    """A peer that may be spoken to by TLS, and is no DICOM node."""


class WebPeer(WebService, TlsPeer):
    """What every peer has that is spoken to by HTTP."""

    @property
    def where(self) -> str:
        """Its address."""
        return self.url

    @property
    def host_name(self) -> str:
        """Its host."""
        return urlsplit(self.url).hostname or ""


class DicomwebPeer(WebPeer):
    """``kind = "dicomweb"``: an archive that stores by STOW-RS (PS3.18 Section 10.5)."""

    kind: Literal["dicomweb"]
    """What the destination is."""
    deletes_by_itself: ClassVar[bool] = True
    tells_counts: ClassVar[bool] = True
    commitment: bool = False
    """Ask it after delivery by QIDO-RS whether it has what it was sent."""
    pull_per_minute: float | None = Field(None, gt=0)
    """Most studies that ``pacs-ai pull`` fetches from it in a minute; not set: no limit."""

    @property
    def asks_commitment(self) -> bool:
        """Whether it is asked if it has what it was sent."""
        return self.commitment
