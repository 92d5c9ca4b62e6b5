"""The interface between the listener and the rest of the node.

All methods are called from the thread of the association concerned, several at a time.
"""

from dataclasses import dataclass
from typing import Protocol

from pacs_ai.files import IncomingFile
from pacs_ai.net.commitment_dataset import CommitmentReport, SopReference


@dataclass(frozen=True, slots=True)
class AssociationInfo:
    """The peer of an association.

    ``id`` is a UUID; ``started`` is on the monotonic clock, in seconds. AE titles are as sent,
    without their padding: a peer chooses them, so they prove nothing.
    """

    id: str
    calling_aet: str
    called_aet: str
    peer_ip: str
    started: float


@dataclass(frozen=True, slots=True)
class ReceivedInstance:
    """An instance whose last byte has arrived.

    The file holds 128 zero bytes, ``DICM``, our file meta information, and the data set of
    ``bytes`` bytes exactly as sent. Nothing is flushed to the disk yet, nothing is checked but
    the form of the two UIDs, which are those of the command. ``study_instance_uid`` is the study to
    which it has to belong, "" for any.
    """

    association: AssociationInfo
    file: IncomingFile
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    bytes: int
    study_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """The status of the C-STORE response (PS3.4 Annex B.2.3) and its Error Comment.

    ``comment`` goes to the peer: at most 64 characters of it, ASCII, no patient data.
    """

    status: int
    comment: str = ""


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """A peer asks whether the node keeps these instances (PS3.4 Annex J.3.2)."""

    association: AssociationInfo
    transaction_uid: str
    references: tuple[SopReference, ...]


class StorageHandlers(Protocol):
    """The node behind the listener."""

    def opened(self, association: AssociationInfo) -> None:
        """Note that an association is established."""
        ...

    def rejected(self, calling_aet: str, peer_ip: str, reason: str) -> None:
        """Note that an association was rejected; ``reason`` is a word of PS3.8 Table 9-21."""
        ...

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        """Note that it has ended; called once for each `opened`.

        ``outcome`` is a value of `pacs_ai.net.scp.states.Outcome`: only ``released`` says
        that the peer had nothing more to send.
        """
        ...

    def open_incoming(self) -> IncomingFile:
        """Make an empty file for the instance that begins to arrive.

        Raises
        ------
        StorageError
            If there is no room, no permission, no disk: the peer is answered 0xA700.
        """
        ...

    def discard(self, incoming: IncomingFile) -> None:
        """Close the descriptor and remove the file of an instance that will not be stored."""
        ...

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        """Take the instance over: check it, make it durable, record it; return the answer.

        From here on the handler owns the file, whatever happens, and closes its descriptor.
        """
        ...

    def refused(self, status: int) -> None:
        """Note that a C-STORE was refused with this status, and `store` has not answered it."""
        ...

    def commitment_report(self, report: CommitmentReport) -> int:
        """Take an archive's N-EVENT-REPORT; the DIMSE status returned goes to the archive."""
        ...


class CommitmentProvider(Protocol):
    """The node as an SCP of storage commitment, for the instances that it holds."""

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        """Look the instances up, and report.

        The request is already answered 0x0000. The report goes out on the same association.
        """
        ...

    def commitment_undelivered(self, request: CommitmentRequest, report: CommitmentReport) -> None:
        """Note that the peer did not take the report, which so needs an association of its own."""
        ...
