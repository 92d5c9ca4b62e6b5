"""C-GET as SCU in the Study Root model (PS3.4 Section C.4.3): the study comes on our association.

An association has 128 presentation contexts (PS3.8 Section 9.3.2.2). One is for C-GET; the others
are divided among the SOP classes that the study has, or that archives usually have. The peer may
choose one transfer syntax of each context, so the more contexts a class gets, the more objects
come as the peer has them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from pacs_ai.errors import ContextRejected
from pacs_ai.net.commitment_dataset import encode
from pacs_ai.net.contexts import (
    COMMON_CLASSES,
    COMMON_SYNTAXES,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    STUDY_ROOT_GET,
)
from pacs_ai.net.dimse import RESPONSE, Command, Element, Field, encode_request, encode_response
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.association import RequestedAssociation
from pacs_ai.net.scu.message_reader import IncomingInstance, Message
from pacs_ai.net.scu.negotiation import MAX_CONTEXTS, AgreedContext, Proposal
from pacs_ai.net.scu.retrieval import (
    MEDIUM_PRIORITY,
    SubOperations,
    Transferred,
    study_identifier,
)
from pacs_ai.net.status import PENDING, Status

_LEAST = 4096
"""Bytes within the time limit that count as progress."""

_UNCOMPRESSED = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


class InstanceReceiver(Protocol):
    """Takes the instances that a peer sends."""

    def begin(
        self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> IncomingInstance:
        """Begin an instance; the UIDs are as the peer has sent them."""
        ...


def storage_proposals(sop_classes: Sequence[str] = ()) -> list[Proposal]:
    """Return the contexts in which a peer may send instances to us.

    Parameters
    ----------
    sop_classes
        Those that are expected; none: those that archives usually have.
    """
    classes = list(dict.fromkeys(sop_classes or COMMON_CLASSES))[: MAX_CONTEXTS - 1]
    each = min((MAX_CONTEXTS - 1) // len(classes), 1 + len(COMMON_SYNTAXES))
    groups = [_UNCOMPRESSED, *((one,) for one in COMMON_SYNTAXES[: each - 1])]
    groups[-1] = (*groups[-1], *COMMON_SYNTAXES[each - 1 :])
    return [Proposal(one, group, serves=True) for one in classes for group in groups]


def get_study(
    peer: PeerAddress,
    calling_aet: str,
    study_instance_uid: str,
    receiver: Callable[[str], InstanceReceiver],
    sop_classes: Sequence[str] = (),
    timeout: float = 30,
    *,
    unwanted: Callable[[], bool] | None = None,
) -> Transferred:
    """Have a peer send a study on the association that asks for it.

    Parameters
    ----------
    receiver
        Makes what takes the instances; it is given the address of the peer.
    sop_classes
        Of the study, as in `storage_proposals`.
    timeout
        Seconds for which the peer may send nothing of the study and no response.
    unwanted
        Tells once a second whether nobody wants the study any more: then it is cancelled.

    Raises
    ------
    PeerError
        If the peer is out of reach, offers no C-GET, refuses, or ends what was cancelled.
    """
    held: list[RequestedAssociation] = []
    takes: list[InstanceReceiver] = []

    def begin(number: int, command: Command) -> IncomingInstance:
        association = held[0]
        if not takes:
            takes.append(receiver(association.peer_ip))
        context = association.context(number)
        sop_class = command.uid(Element.AFFECTED_CLASS) or ""
        instance = command.uid(Element.AFFECTED_INSTANCE) or ""
        if context is None or context.abstract_syntax != sop_class:
            raise ProtocolViolation(f"{peer.name} sends an instance in a context of another class")
        return takes[0].begin(sop_class, instance, context.transfer_syntax)

    proposals = [Proposal(STUDY_ROOT_GET, _UNCOMPRESSED), *storage_proposals(sop_classes)]
    with associate(peer, calling_aet, proposals, timeout, _stored, begin) as association:
        held.append(association)
        try:
            return _follow(peer, association, study_instance_uid, unwanted)
        finally:
            association.abandon()


def _follow(
    peer: PeerAddress,
    association: RequestedAssociation,
    study_instance_uid: str,
    unwanted: Callable[[], bool] | None,
) -> Transferred:
    accepted = [one for one in association.contexts if one.abstract_syntax == STUDY_ROOT_GET]
    if not accepted:
        raise ContextRejected(f"{peer.name} offers no C-GET")
    context, follows = accepted[0], SubOperations(peer.name, "C-GET")
    command = encode_request(
        Field.C_GET,
        association.next_id(),
        STUDY_ROOT_GET,
        priority=MEDIUM_PRIORITY,
        with_dataset=True,
    )
    dataset = encode(study_identifier(study_instance_uid), context.transfer_syntax)
    progress = partial(_progressed, association, [0])
    for response in association.find(context, command, dataset, progress, unwanted):
        follows.note(response.command)
        if response.command.status not in PENDING:
            return follows.result(response.command)
    raise ProtocolViolation(f"{peer.name} does not end C-GET")


def _progressed(association: RequestedAssociation, seen: list[int]) -> bool:
    """Tell whether some of the study has arrived since the last question."""
    before, seen[0] = seen[0], association.taken
    return seen[0] - before >= _LEAST


def _stored(_context: AgreedContext, request: Message) -> bytes:
    """Answer a request of the peer: a C-STORE as the receiver decides, all else is refused."""
    field = request.command.number(Element.FIELD) or 0
    if request.instance is None:
        return encode_response(request.command, field & ~RESPONSE, Status.UNRECOGNIZED_OPERATION)
    return encode_response(request.command, Field.C_STORE, request.instance.end())
