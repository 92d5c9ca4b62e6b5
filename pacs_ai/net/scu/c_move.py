"""C-MOVE as SCU in the Study Root model (PS3.4 Section C.4.2 and Annex C.6.2)."""

from collections.abc import Callable

from pacs_ai.net.commitment_dataset import encode
from pacs_ai.net.contexts import EXPLICIT_LITTLE, IMPLICIT_LITTLE, STUDY_ROOT_MOVE
from pacs_ai.net.dimse import Field, encode_request
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.negotiation import Proposal
from pacs_ai.net.scu.retrieval import (
    MEDIUM_PRIORITY,
    SubOperations,
    Transferred,
    study_identifier,
)
from pacs_ai.net.status import PENDING


def move_study(
    peer: PeerAddress,
    calling_aet: str,
    destination: str,
    study_instance_uid: str,
    timeout: float = 30,
    still_coming: Callable[[], bool] | None = None,
    *,
    unwanted: Callable[[], bool] | None = None,
) -> Transferred:
    """Ask a peer to send a study to a node that it knows by its AE title.

    Parameters
    ----------
    destination
        AE title to send to; the peer has its address.
    timeout
        Seconds; see `pacs_ai.net.scu.associate.request_association`. The peer has this time for
        each of its responses; most send one after each instance.
    still_coming
        Tells at the end of that time whether instances have arrived in it: then it begins again.
    unwanted
        Tells once a second whether nobody wants the study any more: then it is cancelled.

    Raises
    ------
    PeerError
        If the peer is out of reach, does not know the destination, refuses, or ends what was
        cancelled.
    """
    proposals = [Proposal(STUDY_ROOT_MOVE, (EXPLICIT_LITTLE, IMPLICIT_LITTLE))]
    follows = SubOperations(peer.name, "C-MOVE")
    with associate(peer, calling_aet, proposals, timeout) as association:
        context = association.contexts[0]
        command = encode_request(
            Field.C_MOVE,
            association.next_id(),
            STUDY_ROOT_MOVE,
            priority=MEDIUM_PRIORITY,
            destination=destination,
            with_dataset=True,
        )
        dataset = encode(study_identifier(study_instance_uid), context.transfer_syntax)
        for response in association.find(context, command, dataset, still_coming, unwanted):
            follows.note(response.command)
            if response.command.status not in PENDING:
                return follows.result(response.command)
    raise ProtocolViolation(f"{peer.name} does not end C-MOVE")
