"""What a destination is to the flow, whatever it is reached by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pacs_ai.errors import PacsAIError


class DeliveryAnswer(StrEnum):
    """What became of one file at its destination."""

    STORED = "stored"
    """The destination has it."""
    HELD_ALREADY = "held already"
    """It did not take it: it says that it has an object of this UID."""
    NOT_NOW = "not now"
    """It could not take it; time may help. Also where the destination is out of reach."""
    REFUSED = "refused"
    """It objects to this object."""
    CLASS_REFUSED = "class refused"
    """It takes no object of this SOP class in this transfer syntax."""
    WITHHELD = "withheld"
    """It was not sent: just before, it was not to leave any more."""


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """The outcome for one file. It is the same class for all kinds of destinations.

    Parameters
    ----------
    answer
        See `DeliveryAnswer`.
    error
        Why the destination does not have it; None only where it was stored or withheld.
    status
        Status of the protocol, such as that of a C-STORE response; None without one.
    note
        Remark of the destination on what it stored; goes into the audit trail.
    unanswered
        Whether all of the file has gone out once and no answer has come: the destination may have
        held it since.
    """

    answer: DeliveryAnswer
    error: PacsAIError | None = None
    status: int | None = None
    note: str = ""
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file on its way to a destination, as it lies in the spool."""

    path: Path
    sop_instance_uid: str
    """Its name in the world; a document that is no DICOM object has one too."""


MayLeave = Callable[[OutgoingFile], bool]


class Destination(Protocol):
    """One ``[peers.x]``, ready to be used; see docs/extending.md."""

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Hand files over.

        Parameters
        ----------
        files
            At least one.
        may_leave
            To be asked right before each file leaves; one that may not is `WITHHELD`.

        Returns
        -------
        sequence of DeliveryOutcome
            One for each file, in the same order. A destination that is out of reach is an outcome
            too: this raises nothing.
        """
        ...

    def probe(self) -> None:
        """Ask whether the destination could take a file now, without sending one.

        Raises
        ------
        PeerError
            If it could not.
        """
        ...
