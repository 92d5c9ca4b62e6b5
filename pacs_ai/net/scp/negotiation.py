"""Which of the proposed presentation contexts are accepted, and the A-ASSOCIATE-AC.

Extended negotiation and an asynchronous operations window are not answered: by PS3.7 Annex D.3.3
that means the defaults and one operation at a time. User identity is answered where it was checked
and the peer asks for an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from pacs_ai.net.contexts import APPLICATION_CONTEXT, IMPLICIT_LITTLE, ContextPolicy, Service
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.pdu import HEADER
from pacs_ai.net.scp.associate_request import ECHOED, AssociateRequest, ProposedContext
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

_ACCEPTANCE = 0
_NO_ABSTRACT_SYNTAX = 3
_NO_TRANSFER_SYNTAX = 4
"""Results of PS3.8 Table 9-18."""

_MAX_CACHED = 2048
"""Transfer syntaxes, over all contexts, of the largest proposal that is remembered."""

_UserItem = SCP_SCU_RoleSelectionNegotiation | UserIdentityNegotiation
Roles = tuple[bool, bool]
"""SCU and SCP role that a requestor proposes for itself."""


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


def negotiate(
    request: AssociateRequest,
    policy: ContextPolicy,
    max_pdu: int,
    *,
    identified: bool = False,
) -> Agreement:
    """Decide on each context: the first of its transfer syntaxes that we support is accepted.

    Parameters
    ----------
    request
        What the peer asks for.
    policy
        Which contexts are accepted.
    max_pdu
        Largest P-DATA-TF body that we announce.
    identified
        Whether the peer's user identity was checked; the answer says so if the peer asked for it
        (PS3.7 D.3.3.7.2).
    """
    contexts = tuple(request.contexts.values())
    tells = identified and request.identity is not None and request.identity.response_requested
    small = sum(len(one.transfer_syntaxes) for one in contexts) <= _MAX_CACHED
    agree = _agree if small else _agree.__wrapped__
    agreement = agree(contexts, tuple(request.roles.items()), policy, max_pdu, tells)
    head, tail = agreement.pdu[: HEADER + ECHOED.start], agreement.pdu[HEADER + ECHOED.stop :]
    return Agreement(agreement.contexts, head + request.echoed + tail)


@lru_cache(maxsize=64)
def _agree(
    contexts: tuple[ProposedContext, ...],
    proposed_roles: tuple[tuple[str, Roles], ...],
    policy: ContextPolicy,
    max_pdu: int,
    tells_identified: bool,  # noqa: FBT001 - part of the cache's key
) -> Agreement:
    """Decide and encode; cached, as a sender proposes the same contexts again and again."""
    accepted: dict[int, AcceptedContext] = {}
    results: list[PresentationContext] = []
    replies: dict[str, SCP_SCU_RoleSelectionNegotiation] = {}
    for proposed in contexts:
        choice = _choose(proposed, policy)
        if isinstance(choice, int):
            results.append(_context(proposed, IMPLICIT_LITTLE, choice))
            continue
        roles = dict(proposed_roles).get(choice.abstract_syntax)
        result, reply = _with_role(proposed, choice, roles, policy)
        results.append(result)
        if result.result == _ACCEPTANCE:
            accepted[choice.id] = choice
            if reply is not None:
                replies[choice.abstract_syntax] = reply
    extra: list[_UserItem] = [*replies.values()]
    if tells_identified:
        identified = UserIdentityNegotiation()
        identified.server_response = b""
        extra.append(identified)
    return Agreement(accepted, _encode(results, extra, max_pdu))


def _choose(proposed: ProposedContext, policy: ContextPolicy) -> AcceptedContext | int:
    """Return the accepted context, or the result that refuses it."""
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
    roles: Roles | None,
    policy: ContextPolicy,
) -> tuple[PresentationContext, SCP_SCU_RoleSelectionNegotiation | None]:
    """Decide on the roles of SCU and SCP (PS3.7 Annex D.3.3.4).

    A peer may be the SCP of storage commitment, to deliver its report, and the SCU, if we give
    commitment. Of storage it may be the SCU only, which is the default and needs no answer.
    """
    if choice.service is not Service.COMMITMENT or roles is None:
        return _context(proposed, choice.transfer_syntax, _ACCEPTANCE), None
    uid = UID(choice.abstract_syntax)
    ours = _context(proposed, choice.transfer_syntax)
    ours.scu_role, ours.scp_role = policy.gives_commitment, True
    theirs = _context(proposed, choice.transfer_syntax)
    ours.abstract_syntax = theirs.abstract_syntax = uid
    contexts, replies = negotiate_as_acceptor([theirs], [ours], {uid: roles})
    return contexts[0], replies[0] if replies else None


def _context(
    proposed: ProposedContext, transfer_syntax: str, result: int | None = None
) -> PresentationContext:
    """Return the context in pynetdicom's form, as an A-ASSOCIATE-AC has it.

    That is without the abstract syntax: pydicom warns of the form of some private ones.
    """
    context = PresentationContext()
    context.context_id = proposed.id
    context.transfer_syntax = [UID(transfer_syntax)]
    context.result = result
    return context


def _encode(
    results: list[PresentationContext],
    extra: list[_UserItem],
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
    primitive.user_information = [length, implementation, version, *extra]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(primitive)
    encoded: bytes = pdu.encode()
    return encoded
