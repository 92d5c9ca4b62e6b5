"""A-ASSOCIATE-RQ, taken apart (PS3.8 Section 9.3.2, PS3.7 Annex D.3.3).

Strangers' bytes: whatever is sent, this ends soon, either with a request of sound form or with
`ProtocolViolation`. Items of unknown type are skipped, as PS3.8 Section 9.3.1 demands.
pynetdicom negotiates and encodes the answer, but never sees these bytes: its decoder answers
odd forms with whatever exception their first consequence raises, or not at all.
"""

from dataclasses import dataclass, field

from pacs_ai.net.associate_items import (
    CONTEXT_HEAD,
    DEFAULT_MAX_PDU,
    FIXED_BODY,
    MAX_LENGTH,
    Budget,
    ItemType,
    decode_name,
    decode_uid,
    walk_items,
)
from pacs_ai.net.faults import ProtocolViolation

ECHOED = slice(4, 68)
"""Both AE titles and a reserved field: the answer repeats them as sent (PS3.8 Table 9-17)."""

_CALLED = slice(4, 20)
_CALLING = slice(20, 36)


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """A presentation context as proposed; a UID that cannot be one is an empty string."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who the peer says it is (PS3.7 Annex D.3.3.7); never logged."""

    type: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(repr=False)
    response_requested: bool = False


@dataclass(slots=True)
class AssociateRequest:
    """What a peer asks for.

    AE titles are without padding; ``roles`` maps a SOP class to the (SCU, SCP) roles that the
    requestor proposes for itself; ``echoed`` are the bytes that the answer repeats.
    """

    protocol_version: int
    called_aet: str
    calling_aet: str
    echoed: bytes
    application_context: str = ""
    contexts: dict[int, ProposedContext] = field(default_factory=dict)
    max_pdu: int = DEFAULT_MAX_PDU
    implementation_class_uid: str = ""
    implementation_version: str = ""
    roles: dict[str, tuple[bool, bool]] = field(default_factory=dict)
    identity: UserIdentity | None = None


def decode_request(body: bytes) -> AssociateRequest:
    """Take the body of an A-ASSOCIATE-RQ apart.

    Parameters
    ----------
    body
        Everything after the PDU header.

    Raises
    ------
    ProtocolViolation
        If an item reaches beyond its parent, is repeated where one is allowed, or lacks what it
        must have.
    """
    if len(body) < FIXED_BODY:
        raise ProtocolViolation("A-ASSOCIATE-RQ shorter than its fixed fields")
    request = AssociateRequest(
        protocol_version=int.from_bytes(body[:2], "big"),
        called_aet=_title(body[_CALLED]),
        calling_aet=_title(body[_CALLING]),
        echoed=body[ECHOED],
    )
    budget = Budget()
    seen_user_information = False
    for kind, value in walk_items(body, FIXED_BODY, len(body), budget):
        if kind == ItemType.APPLICATION_CONTEXT:
            if request.application_context:
                raise ProtocolViolation("application context repeated")
            request.application_context = decode_name(value)
        elif kind == ItemType.PROPOSED_CONTEXT:
            context = _context(value, budget)
            if context.id in request.contexts:
                raise ProtocolViolation("presentation context id repeated")
            request.contexts[context.id] = context
        elif kind == ItemType.USER_INFORMATION:
            if seen_user_information:
                raise ProtocolViolation("user information repeated")
            seen_user_information = True
            _user_information(request, value, budget)
    if not request.contexts:
        raise ProtocolViolation("no presentation context proposed")
    return request


def _context(value: bytes, budget: Budget) -> ProposedContext:
    """Take a presentation context item apart (PS3.8 Section 9.3.2.2)."""
    if len(value) < CONTEXT_HEAD:
        raise ProtocolViolation("presentation context cut off")
    number = value[0]
    if number % 2 == 0:
        raise ProtocolViolation("presentation context id is even")
    abstract: str | None = None
    syntaxes: dict[str, None] = {}
    for kind, name in walk_items(value, CONTEXT_HEAD, len(value), budget):
        if kind == ItemType.ABSTRACT_SYNTAX:
            if abstract is not None:
                raise ProtocolViolation("abstract syntax repeated")
            abstract = decode_uid(name)
        elif kind == ItemType.TRANSFER_SYNTAX:
            syntaxes[decode_uid(name)] = None
    if abstract is None or not syntaxes:
        raise ProtocolViolation("presentation context without abstract or transfer syntax")
    return ProposedContext(number, abstract, tuple(syntaxes))


def _user_information(request: AssociateRequest, value: bytes, budget: Budget) -> None:
    """Take the user information item apart; a later item of a kind replaces an earlier one."""
    for kind, data in walk_items(value, 0, len(value), budget):
        if kind == ItemType.MAXIMUM_LENGTH:
            if len(data) != MAX_LENGTH.size:
                raise ProtocolViolation("maximum length item is not four bytes")
            request.max_pdu = MAX_LENGTH.unpack(data)[0]
        elif kind == ItemType.IMPLEMENTATION_CLASS:
            request.implementation_class_uid = decode_uid(data)
        elif kind == ItemType.IMPLEMENTATION_VERSION:
            request.implementation_version = decode_name(data)
        elif kind == ItemType.ROLE_SELECTION:
            sop_class, scu, scp = _role(data)
            request.roles[sop_class] = (scu, scp)
        elif kind == ItemType.USER_IDENTITY:
            request.identity = _identity(data)


def _role(data: bytes) -> tuple[str, bool, bool]:
    """Take a role selection item apart (PS3.7 Annex D.3.3.4)."""
    length = int.from_bytes(data[:2], "big")
    if len(data) != 2 + length + 2:
        raise ProtocolViolation("role selection item of wrong length")
    return decode_uid(data[2 : 2 + length]), data[-2] == 1, data[-1] == 1


def _identity(data: bytes) -> UserIdentity:
    """Take a user identity item apart (PS3.7 Annex D.3.3.7.1); its type is not judged here."""
    primary_at, fixed = 4, 6
    primary_end = primary_at + int.from_bytes(data[2:4], "big")
    secondary_at = primary_end + 2
    secondary = int.from_bytes(data[primary_end:secondary_at], "big")
    if len(data) < fixed or len(data) != secondary_at + secondary:
        raise ProtocolViolation("user identity item of wrong length")
    return UserIdentity(
        data[0], data[primary_at:primary_end], data[secondary_at:], response_requested=data[1] == 1
    )


def _title(value: bytes) -> str:
    """Decode an AE title, up to a NUL: some writers leave behind it what was there before."""
    return decode_name(value.lstrip(b" \0").partition(b"\0")[0])
