"""``[peers.x]``: destinations of results, and senders: DICOM nodes and folders."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from pacs_ai.config.completeness import StudyTiming
from pacs_ai.config.sections import AETitle, Folder, Host, PeerPort, Seconds, Section
from pacs_ai.config.web_service import Deletion
from pacs_ai.domain import DOCUMENTS, ResultKind
from pacs_ai.withdrawal_kinds import WithdrawalWay


class Peer(Section):
    """What every kind of destination has; ``kind`` names a class in `peer_kinds`."""

    deletes_by_itself: ClassVar[bool] = False
    """Whether it can be asked to delete where it gets results."""
    takes: ClassVar[frozenset[ResultKind]] = frozenset(ResultKind) - DOCUMENTS
    """Kinds of results that it can take; unless it says otherwise, DICOM objects."""
    tells_counts: ClassVar[bool] = False
    """Whether it can be asked how many images a study has."""

    rejection_note: bool = True
    """Tell it by a Key Object rejection note which results that it got do not hold any more."""
    withdrawal: WithdrawalWay = WithdrawalWay.NOTE
    """How it is told that results do not hold any more: ``note``, ``supersede`` or ``delete``."""
    delete: Deletion | None = None
    """Where they are deleted, with ``withdrawal = "delete"``."""
    results: tuple[ResultKind, ...] | None = Field(None, min_length=1)
    """Narrows what a rule sends to it; not set: all that the rule makes and it can take."""
    only_positive: bool = False
    """Send it a result only if a finding is present, and what corrects such a result later."""
    concurrency: int = Field(3, ge=1, le=32)
    """How many deliveries go to it at the same time, each with all that a job has for it."""
    per_minute: int | None = Field(None, ge=1)
    """Most files that it gets in a minute, on average; not set: as many as it takes."""
    retry_hours: float = Field(168, ge=0)
    """For how long a delivery is tried again."""
    retry_first_seconds: Seconds = 1
    """First pause between tries; it doubles."""
    retry_max_seconds: Seconds = 300
    """Longest pause between tries."""

    @model_validator(mode="after")
    def _deletion(self) -> Self:
        deletes = self.withdrawal is WithdrawalWay.DELETE
        if deletes and self.delete is None and not self.deletes_by_itself:
            raise ValueError('withdrawal = "delete" needs delete = { kind = ..., url = ... }')
        return self

    @property
    def told_of_withdrawals(self) -> bool:
        """Whether it is told when results do not hold any more."""
        told = self.rejection_note or self.withdrawal is not WithdrawalWay.NOTE
        return told and bool(self.takes - DOCUMENTS)

    @property
    @abstractmethod
    def where(self) -> str:
        """Where it is, for people."""

    @property
    def host_name(self) -> str:
        """Host of its address; "" without one."""
        return ""

    @property
    def undecided_tls(self) -> bool:
        """Whether it may be spoken to with or without TLS, and the section does not say which."""
        return False

    @property
    def asks_commitment(self) -> bool:
        """Whether it is asked after delivery if it keeps what it has got."""
        return False


class DimsePeer(StudyTiming, Peer):
    """``kind = "dimse"``, or none: a DICOM node, spoken to by C-STORE."""

    tells_counts: ClassVar[bool] = True

    kind: Literal["dimse"] = "dimse"
    """What the destination is."""
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
    pull_per_minute: float | None = Field(None, gt=0)
    """Most studies that ``pacs-ai pull`` fetches from it in a minute; not set: no limit."""
    retrieve: Literal["move", "get"] = "move"
    """How studies are fetched from it: ``move`` has it send them to this node's AE title, which it
    has to know (C-MOVE); ``get`` needs no entry there, and not every archive offers it (C-GET)."""
    keep_open_seconds: float = Field(1, ge=0, le=1)
    """How long an association stays open after a delivery, for the next one; 0 releases it at once,
    as a peer needs that accepts one association at a time, also from others."""

    @property
    def where(self) -> str:
        """AE title, host and port, and whether TLS is spoken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}" + (", TLS" if self.tls else "")

    @property
    def host_name(self) -> str:
        """Its host."""
        return self.host

    @property
    def undecided_tls(self) -> bool:
        """Whether the section does not say if TLS is spoken."""
        return self.tls is None

    @property
    def asks_commitment(self) -> bool:
        """Whether it is asked for storage commitment."""
        return self.commitment

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


class FolderPeer(Peer):
    """``kind = "folder"``: a folder that another program watches."""

    takes: ClassVar[frozenset[ResultKind]] = frozenset(ResultKind)

    kind: Literal["folder"]
    """What the destination is."""
    path: Folder
    """The folder; it has to be there."""

    @property
    def where(self) -> str:
        """Its path."""
        return f"folder {self.path}"
