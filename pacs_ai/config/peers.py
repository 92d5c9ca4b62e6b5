"""``[peers.x]``: destinations of results, and senders with other timing; a class for each kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pacs_ai.config.sections import AETitle, Folder, Host, PeerPort, Seconds, Section, StudyTiming
from pacs_ai.domain import ResultKind


class BasePeer(Section):
    """What every kind of destination has."""

    takes_documents: ClassVar[bool] = False
    """Whether it takes files that are no DICOM objects."""

    rejection_note: bool = True
    """Tell it by a Key Object rejection note which results that it got do not hold any more."""
    results: tuple[ResultKind, ...] | None = Field(None, min_length=1)
    """Narrows what a rule sends to it; not set: all that the rule makes and it can take."""
    retry_hours: float = Field(168, ge=0)
    """For how long a delivery is tried again."""
    retry_first_seconds: Seconds = 1
    """First pause between tries; it doubles."""
    retry_max_seconds: Seconds = 300
    """Longest pause between tries."""


class DimsePeer(StudyTiming, BasePeer):
    """``kind = "dimse"``, or none: a DICOM node, spoken to by C-STORE."""

    kind: Literal["dimse"] = "dimse"
    """What the destination is: ``dimse`` or ``folder``."""
    ae_title: AETitle
    """Its AE title."""
    host: Host
    """Its address."""
    port: PeerPort
    """Its TCP port."""
    commitment: bool = False
    """Ask it for storage commitment (PS3.4 Annex J) after delivery."""
    tls: bool | None = None
    """Speak TLS to it (BCP 195); ``false`` allows clear text although the node takes TLS only."""
    ca: Path | None = None
    """PEM file with the authorities of its certificate, or the certificate; not set: those of
    ``[tls]``, else the system's."""
    certificate: Path | None = None
    """PEM file that shows it who we are, where it asks; not set: that of ``[tls]``."""
    key: Path | None = None
    """PEM file with the certificate's private key; not set: it stands in ``certificate``."""
    user: str | None = Field(None, min_length=1)
    """Name to show it (PS3.7 D.3.3.7)."""
    passcode_file: Path | None = None
    """File whose first line is the passcode of ``user``; not set: the name alone is shown."""
    timeout_seconds: Seconds = 30
    """How long to wait for a peer that does not answer."""
    keep_open_seconds: float = Field(1, ge=0, le=1)
    """How long an association stays open after a delivery, for the next one; 0 releases it at once,
    as a peer needs that accepts one association at a time, also from others."""

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for key in ("ca", "certificate", "key"):
            if getattr(self, key) is not None and not self.tls:
                raise ValueError(f"{key} needs tls = true")
        if self.key is not None and self.certificate is None:
            raise ValueError("key needs certificate")
        if self.passcode_file is not None and self.user is None:
            raise ValueError("passcode_file needs user")
        return self


class FolderPeer(BasePeer):
    """``kind = "folder"``: a folder that another program watches."""

    takes_documents: ClassVar[bool] = True

    kind: Literal["folder"]
    """What the destination is."""
    path: Folder
    """The folder; it has to be there."""

    @property
    def commitment(self) -> bool:
        """There is nobody to ask for storage commitment."""
        return False


Peer = DimsePeer | FolderPeer

PEER_KINDS: Mapping[str, type[Section]] = {"dimse": DimsePeer, "folder": FolderPeer}
"""By the value of ``kind``."""


def _kind(value: object) -> object:
    """Return the kind that a section names; a section without one is of the first kind."""
    if isinstance(value, Mapping):
        return value.get("kind", "dimse")
    return getattr(value, "kind", None)


PeerSection = Annotated[
    Annotated[DimsePeer, Tag("dimse")] | Annotated[FolderPeer, Tag("folder")],
    Discriminator(_kind),
]
"""Reads a section as the class that its ``kind`` names."""
