"""A receiver of HL7 messages as a destination: MLLP, and the acknowledgement decides."""

from collections.abc import Sequence

from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, MayLeave, OutgoingFile
from pacs_ai.errors import PeerError, PeerUnreachable, StorageError
from pacs_ai.net.mllp import Acknowledgement, MllpConnection
from pacs_ai.net.refusals import PeerRefusal
from pacs_ai.net.tls import ClientTls

_ANSWERS = {
    "AA": DeliveryAnswer.STORED,
    "CA": DeliveryAnswer.STORED,
    "AE": DeliveryAnswer.REFUSED,
    "CE": DeliveryAnswer.REFUSED,
    "AR": DeliveryAnswer.NOT_NOW,
    "CR": DeliveryAnswer.NOT_NOW,
}
"""By MSA-1: an error is one of the message; a reject asks to send it again (HL7 v2.5.1, 2.9.2)."""


class MllpDestination:
    """Sends each message on a connection of its own, and waits for its acknowledgement.

    Many receivers close the connection after the acknowledgement.
    A message that is tried again has the same control id (MSH-10): the receiver can tell.

    Parameters
    ----------
    name
        What errors call it.
    host, port, tls, timeout
        See `MllpConnection`.
    """

    def __init__(
        self, name: str, host: str, port: int, tls: ClientTls | None, timeout: float
    ) -> None:
        self._name = name
        self._where = (name, host, port, tls, timeout)

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Send each message as it is."""
        outcomes: list[DeliveryOutcome] = []
        for file in files:
            gone = outcomes[-1].error if outcomes else None
            if isinstance(gone, PeerUnreachable):
                outcomes.append(DeliveryOutcome(DeliveryAnswer.NOT_NOW, gone))
            else:
                outcomes.append(self._send(file, may_leave))
        return outcomes

    def probe(self) -> None:
        """Connect, and send nothing."""
        with MllpConnection(*self._where):
            pass

    def _send(self, file: OutgoingFile, may_leave: MayLeave) -> DeliveryOutcome:
        try:
            message = file.path.read_bytes()
        except OSError as error:
            unread = StorageError(f"{file.path} cannot be read: {error.strerror}")
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, unread)
        gone_out = False
        try:
            with MllpConnection(*self._where) as connection:
                if not may_leave(file):
                    return DeliveryOutcome(DeliveryAnswer.WITHHELD)
                connection.send(message)
                gone_out = True
                return self._judge(connection.acknowledgement(message))
        except PeerError as error:
            return DeliveryOutcome(DeliveryAnswer.NOT_NOW, error, unanswered=gone_out)

    def _judge(self, said: Acknowledgement) -> DeliveryOutcome:
        answer = _ANSWERS.get(said.code, DeliveryAnswer.REFUSED)
        if answer is DeliveryAnswer.STORED:
            return DeliveryOutcome(answer, note=f"acknowledged with {said.code}")
        error = PeerRefusal(f"{self._name} acknowledges the message with {said.code or 'nothing'}")
        return DeliveryOutcome(answer, error)
