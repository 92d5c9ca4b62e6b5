"""What C-MOVE and C-GET have in common: the identifier, and what the final response says."""

from dataclasses import dataclass

from pydicom import Dataset

from pacs_ai.errors import PeerError
from pacs_ai.net.dimse import Command, Element
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.refusals import PeerBusy
from pacs_ai.net.status import Status

MEDIUM_PRIORITY = 0
_SOME_FAILED = 0xB000
_NOT_PERFORMED = 0xA702
_RESOURCES = range(0xA700, 0xA800)
_DESTINATION_UNKNOWN = 0xA801


class DestinationUnknown(PeerError):
    """The archive does not know this node by its AE title. Register it there, with host and port.

    Or set ``retrieve = "get"`` in the section of the archive, if it offers C-GET.
    """

    code = "DESTINATION_UNKNOWN"
    retryable = True


@dataclass(frozen=True, slots=True)
class Transferred:
    """How many instances a peer has sent, and how many it could not send.

    ``told`` is False where it has not said any number.
    """

    completed: int
    failed: int
    told: bool = True


def study_identifier(study_instance_uid: str) -> Dataset:
    """Return the identifier of a whole study (PS3.4 Section C.4.2.1.4)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_instance_uid
    return identifier


class SubOperations:
    """Follows the responses of one C-MOVE or C-GET (PS3.7 Sections 9.1.3 and 9.1.4).

    Parameters
    ----------
    name
        The peer, for errors.
    operation
        ``C-MOVE`` or ``C-GET``.
    """

    def __init__(self, name: str, operation: str) -> None:
        self._name, self._operation = name, operation
        self._counts: dict[Element, int] = {}

    def note(self, command: Command) -> None:
        """Keep the numbers of a response: some peers leave them out of the last one."""
        for element in (Element.COMPLETED, Element.FAILED, Element.WARNED):
            number = command.number(element)
            if number is not None:
                self._counts[element] = number

    def result(self, command: Command) -> Transferred:
        """Read the final response.

        Raises
        ------
        PeerError
            If the peer has refused the operation, or could not do it at all.
        """
        status, counts = command.status, self._counts
        if status is None:
            raise ProtocolViolation(f"{self._name} answers {self._operation} without a status")
        failed = counts.get(Element.FAILED, 0)
        completed = counts.get(Element.COMPLETED, 0) + counts.get(Element.WARNED, 0)
        some = status in (_SOME_FAILED, _NOT_PERFORMED) and failed > 0
        if status != Status.SUCCESS and not some:
            raise self._refusal(status)
        return Transferred(completed, failed, told=bool(counts))

    def _refusal(self, status: int) -> PeerError:
        said = f"{self._name}: {self._operation} answered 0x{status:04X}"
        if status == _DESTINATION_UNKNOWN:
            return DestinationUnknown(f"{said}: it does not know this node as a destination")
        return PeerBusy(said) if status in _RESOURCES else PeerError(said)
