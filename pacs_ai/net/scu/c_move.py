"""C-MOVE as SCU in the Study Root model (PS3.4 Section C.4.2 and Annex C.6.2)."""

from dataclasses import dataclass

from pydicom import Dataset

from pacs_ai.errors import PeerError
from pacs_ai.net.commitment_dataset import encode
from pacs_ai.net.contexts import EXPLICIT_LITTLE, IMPLICIT_LITTLE, STUDY_ROOT_MOVE
from pacs_ai.net.dimse import Command, Element, Field, encode_request
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.negotiation import Proposal
from pacs_ai.net.status import PENDING, Status

_MEDIUM_PRIORITY = 0
_SOME_FAILED = 0xB000


@dataclass(frozen=True, slots=True)
class Moved:
    """How many instances a peer has sent, and how many it could not send."""

    completed: int
    failed: int


def move_study(
    peer: PeerAddress,
    calling_aet: str,
    destination: str,
    study_instance_uid: str,
    timeout: float = 30,
) -> Moved:
    """Ask a peer to send a study to a node that it knows by its AE title.

    Parameters
    ----------
    destination
        AE title to send to; the peer has its address.
    timeout
        Seconds; see `pacs_ai.net.scu.associate.request_association`. The peer has this time for
        each of its responses; most send one after each instance.

    Raises
    ------
    PeerError
        If the peer is out of reach, does not know the destination, or refuses.
    """
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study_instance_uid
    proposals = [Proposal(STUDY_ROOT_MOVE, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))]
    with associate(peer, calling_aet, proposals, timeout) as association:
        context = association.contexts[0]
        command = encode_request(
            Field.C_MOVE,
            association.next_id(),
            STUDY_ROOT_MOVE,
            priority=_MEDIUM_PRIORITY,
            destination=destination,
            with_dataset=True,
        )
        dataset = encode(identifier, context.transfer_syntax)
        for response in association.find(context, command, dataset):
            if response.command.status not in PENDING:
                return _result(peer, response.command)
    raise ProtocolViolation(f"{peer.name} does not end C-MOVE")


def _result(peer: PeerAddress, command: Command) -> Moved:
    status = command.status
    if status is None:
        raise ProtocolViolation(f"{peer.name} answers C-MOVE without a status")
    if status not in (Status.SUCCESS, _SOME_FAILED):
        raise PeerError(f"{peer.name}: C-MOVE answered 0x{status:04X}")
    completed = command.number(Element.COMPLETED) or 0
    warned = command.number(Element.WARNED) or 0
    return Moved(completed + warned, command.number(Element.FAILED) or 0)
