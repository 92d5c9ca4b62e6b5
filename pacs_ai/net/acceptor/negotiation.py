"""Which of the proposed presentation contexts are accepted, and the A-ASSOCIATE-AC.

Extended negotiation, an asynchronous operations window and user identity are answered by leaving
them out, which PS3.7 Annex D.3.3 defines as: defaults, one operation at a time, not checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from pacs_ai.net.acceptor.pdu import HEADER
from pacs_ai.net.acceptor.request import ECHOED, AssociateRequest, ProposedContext
from pacs_ai.net.contexts import APPLICATION_CONTEXT, IMPLICIT_LITTLE, ContextPolicy, Service
from pacs_ai.net.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION

_ACCEPTANCE = 0
_NO_ABSTRACT_SYNTAX = 3
_NO_TRANSFER_SYNTAX = 4
"""Results of PS3.8 Table 9-18."""


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """A presentation context in use."""

    id: int
    service: Service
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """The outcome: the contexts in use by their ids, and the PDU that says so."""

    contexts: Mapping[int, AcceptedContext]
    pdu: bytes


def negotiate(request: AssociateRequest, policy: ContextPolicy, max_pdu: int) -> Agreement:
    """Decide on each context: of its transfer syntaxes the first that we take.

    Parameters
    ----------
    request
        What the peer asks for.
    policy
        What is taken.
    max_pdu
        Largest P-DATA-TF body that we announce.
    """
    accepted: dict[int, AcceptedContext] = {}
    results: list[PresentationContext] = []
    roles: dict[str, SCP_SCU_RoleSelectionNegotiation] = {}
    for proposed in request.contexts.values():
        choice = _choose(proposed, policy)
        if isinstance(choice, int):
            results.append(_context(proposed, IMPLICIT_LITTLE, choice))
            continue
        result, role = _with_role(proposed, choice, request, policy)
        results.append(result)
        if result.result == _ACCEPTANCE:
            accepted[choice.id] = choice
            if role is not None:
                roles[choice.abstract_syntax] = role
    return Agreement(accepted, _encode(request, results, list(roles.values()), max_pdu))


def _choose(proposed: ProposedContext, policy: ContextPolicy) -> AcceptedContext | int:
    """Return the context as we would take it, or the result that refuses it."""
    service = policy.service(proposed.abstract_syntax)
    if service is None:
        return _NO_ABSTRACT_SYNTAX
    for syntax in proposed.transfer_syntaxes:
        if policy.takes(service, syntax):
            return AcceptedContext(proposed.id, service, proposed.abstract_syntax, syntax)
    return _NO_TRANSFER_SYNTAX


def _with_role(
    proposed: ProposedContext,
    choice: AcceptedContext,
    request: AssociateRequest,
    policy: ContextPolicy,
) -> tuple[PresentationContext, SCP_SCU_RoleSelectionNegotiation | None]:
    """Settle who is SCU and who SCP (PS3.7 Annex D.3.3.4).

    A peer may be the SCP of storage commitment, to deliver its report, or the SCU, to ask for
    one, if we give any; of storage only the SCU, which is the default and needs no answer.
    """
    roles = request.roles.get(choice.abstract_syntax)
    if choice.service is not Service.COMMITMENT or roles is None:
        return _context(proposed, choice.transfer_syntax, _ACCEPTANCE), None
    ours = _context(proposed, choice.transfer_syntax)
    ours.scu_role, ours.scp_role = policy.gives_commitment, True
    theirs = _context(proposed, choice.transfer_syntax)
    contexts, replies = negotiate_as_acceptor(
        [theirs], [ours], {UID(choice.abstract_syntax): roles}
    )
    return contexts[0], replies[0] if replies else None


def _context(
    proposed: ProposedContext, transfer_syntax: str, result: int | None = None
) -> PresentationContext:
    """Make pynetdicom's form of a context; of a refused one only id and result matter."""
    context = PresentationContext()
    context.context_id = proposed.id
    if result in (None, _ACCEPTANCE):
        context.abstract_syntax = UID(proposed.abstract_syntax)
    context.transfer_syntax = [UID(transfer_syntax)]
    context.result = result
    return context


def _encode(
    request: AssociateRequest,
    results: list[PresentationContext],
    roles: list[SCP_SCU_RoleSelectionNegotiation],
    max_pdu: int,
) -> bytes:
    """Encode the A-ASSOCIATE-AC (PS3.8 Section 9.3.3)."""
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(APPLICATION_CONTEXT)
    primitive.calling_ae_title = primitive.called_ae_title = "REPLACED"
    primitive.result = 0
    primitive.result_source = 1
    primitive.presentation_context_definition_results_list = results
    primitive.user_information = [length, implementation, version, *roles]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    encoded = bytearray(pdu.encode())
    encoded[HEADER + ECHOED.start : HEADER + ECHOED.stop] = request.echoed
    return bytes(encoded)
