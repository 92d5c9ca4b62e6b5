"""A-ASSOCIATE as requestor: the request, and what a peer answers (PS3.8 Sections 9.3.2 to 9.3.4).

Peers write odd answers: items of their own, names too long for their VR, NULs and spaces at the
end of UIDs, contexts that nobody proposed. What is not needed to send is skipped; only an answer
whose framing breaks, so that nothing in it can be relied on, is a fault.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pacs_ai.errors import ConfigError, NoPasscode
from pacs_ai.net.associate_items import (
    CONTEXT_HEAD,
    DEFAULT_MAX_PDU,
    FIXED_BODY,
    MAX_LENGTH,
    Budget,
    ItemType,
    decode_uid,
    encode_item,
    walk_items,
)
from pacs_ai.net.contexts import APPLICATION_CONTEXT
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.implementation import IMPLEMENTATION_VERSION
from pacs_ai.net.pdu import PduType, encode_pdu
from pacs_ai.net.users import USERNAME, USERNAME_AND_PASSCODE, read_passcode
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

MAX_CONTEXTS = 128
"""Odd numbers between 1 and 255 (PS3.8 Section 9.3.2.2)."""

MAX_PDU = 1 << 20
"""Largest P-DATA-TF that we announce."""

_TITLE = 16
_ACCEPTANCE = 0
_VERSION = b"\0\1\0\0"

_REASONS: Mapping[tuple[int, int], str] = {
    (1, 1): "no reason given",
    (1, 2): "application context not supported",
    (1, 3): "Calling AE title not recognised",
    (1, 7): "Called AE title not recognised",
    (2, 1): "no reason given (ACSE)",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
"""Source and reason of an A-ASSOCIATE-RJ (PS3.8 Table 9-21)."""

_RESULTS: Mapping[int, str] = {
    1: "user rejection",
    2: "no reason given",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}
"""Results of a presentation context that was not accepted (PS3.8 Table 9-18)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Our user identity (PS3.7 Annex D.3.3.7): name and passcode, or the name alone."""

    name: str
    passcode: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """The user name for a peer, and the file with its passcode (None: there is none)."""

    name: str
    passcode_file: Path | None = None

    def credentials(self) -> Credentials:
        """Read the passcode as it is now.

        Raises
        ------
        NoPasscode
            If that cannot be done.
        """
        if self.passcode_file is None:
            return Credentials(self.name)
        try:
            return Credentials(self.name, read_passcode(self.passcode_file))
        except ConfigError as error:
            raise NoPasscode(error.message) from None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context that we propose; ``serves``: we are its SCP, not its SCU."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    serves: bool = False


@dataclass(frozen=True, slots=True)
class AgreedContext:
    """A presentation context that both sides may use."""

    id: int
    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What a peer has accepted: contexts, and the largest P-DATA-TF that it takes (0: any)."""

    contexts: tuple[AgreedContext, ...]
    max_pdu: int
    refusals: tuple[str, ...]
    """Why the others were not accepted, each reason once."""


def encode_request(
    called_aet: str,
    calling_aet: str,
    proposals: Sequence[Proposal],
    credentials: Credentials | None = None,
) -> bytes:
    """Encode an A-ASSOCIATE-RQ; the contexts are numbered 1, 3, 5 ... as they come."""
    titles = b"".join(
        title.encode("ascii", "replace")[:_TITLE].ljust(_TITLE)
        for title in (called_aet, calling_aet)
    )
    body = _VERSION + titles + bytes(FIXED_BODY - len(_VERSION) - len(titles))
    body += encode_item(ItemType.APPLICATION_CONTEXT, APPLICATION_CONTEXT.encode())
    for index, proposal in enumerate(proposals):
        body += _proposed(2 * index + 1, proposal)
    user = encode_item(ItemType.MAXIMUM_LENGTH, MAX_LENGTH.pack(MAX_PDU))
    user += encode_item(ItemType.IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode())
    user += b"".join(_role(uid) for uid in {one.abstract_syntax: 0 for one in _served(proposals)})
    user += encode_item(ItemType.IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION.encode())
    if credentials is not None:
        user += _identity(credentials)
    return encode_pdu(PduType.ASSOCIATE_RQ, body + encode_item(ItemType.USER_INFORMATION, user))


def _served(proposals: Iterable[Proposal]) -> list[Proposal]:
    return [proposal for proposal in proposals if proposal.serves]


def _proposed(number: int, proposal: Proposal) -> bytes:
    value = bytes((number, 0, 0, 0))
    value += encode_item(ItemType.ABSTRACT_SYNTAX, proposal.abstract_syntax.encode())
    for syntax in proposal.transfer_syntaxes:
        value += encode_item(ItemType.TRANSFER_SYNTAX, syntax.encode())
    return encode_item(ItemType.PROPOSED_CONTEXT, value)


def _role(sop_class_uid: str) -> bytes:
    """Encode the proposal to be SCP of a class, and not its SCU (PS3.7 Annex D.3.3.4.1)."""
    uid = sop_class_uid.encode()
    return encode_item(ItemType.ROLE_SELECTION, len(uid).to_bytes(2, "big") + uid + b"\0\1")


def _identity(credentials: Credentials) -> bytes:
    """Encode a user identity item that asks for no answer (PS3.7 Annex D.3.3.7.1)."""
    kind = USERNAME if credentials.passcode is None else USERNAME_AND_PASSCODE
    fields = [(text or "").encode() for text in (credentials.name, credentials.passcode)]
    value = bytes((kind, 0)) + b"".join(len(one).to_bytes(2, "big") + one for one in fields)
    return encode_item(ItemType.USER_IDENTITY, value)


def decode_acceptance(body: bytes, proposals: Sequence[Proposal]) -> Acceptance:
    """Decode the body of an A-ASSOCIATE-AC.

    Parameters
    ----------
    body
        Everything after the PDU header. Names and versions in it are not compared (PS3.8
        Table 9-17).
    proposals
        What was proposed, in the order of `encode_request`.

    Raises
    ------
    ProtocolViolation
        If the fixed fields or an item's length do not fit into the PDU.
    """
    if len(body) < FIXED_BODY:
        raise ProtocolViolation("A-ASSOCIATE-AC shorter than its fixed fields")
    budget = Budget()
    agreed: dict[int, AgreedContext] = {}
    refusals: dict[str, None] = {}
    max_pdu = DEFAULT_MAX_PDU
    for kind, value in walk_items(body, FIXED_BODY, len(body), budget):
        if kind == ItemType.ANSWERED_CONTEXT and len(value) >= CONTEXT_HEAD:
            outcome = _answered(value, proposals, budget)
            if isinstance(outcome, AgreedContext):
                agreed.setdefault(outcome.id, outcome)
            elif outcome:
                refusals[outcome] = None
        elif kind == ItemType.USER_INFORMATION:
            max_pdu = _max_pdu(value, budget, max_pdu)
    return Acceptance(tuple(agreed.values()), max_pdu, tuple(refusals))


def _answered(
    value: bytes, proposals: Sequence[Proposal], budget: Budget
) -> AgreedContext | str | None:
    """Return the context, or why it cannot be used; None for one that was not proposed."""
    number, result = value[0], value[2]
    index, even = divmod(number - 1, 2)
    if even or not 0 <= index < len(proposals):
        return None
    if result != _ACCEPTANCE:
        return _RESULTS.get(result, f"result {result}")
    proposal = proposals[index]
    syntax = _syntax(value, budget) or (
        proposal.transfer_syntaxes[0] if len(proposal.transfer_syntaxes) == 1 else ""
    )
    if syntax not in proposal.transfer_syntaxes:
        return "accepted in a transfer syntax that was not proposed"
    return AgreedContext(number, proposal.abstract_syntax, syntax)


def _syntax(value: bytes, budget: Budget) -> str:
    """Return the transfer syntax of a context, "" if the peer leaves it out."""
    try:
        for kind, name in walk_items(value, CONTEXT_HEAD, len(value), budget):
            if kind == ItemType.TRANSFER_SYNTAX:
                return decode_uid(name)
    except ProtocolViolation:
        return ""
    return ""


def _max_pdu(value: bytes, budget: Budget, default: int) -> int:
    """Return the maximum length; a sender needs nothing else of the user information."""
    try:
        for kind, data in walk_items(value, 0, len(value), budget):
            if kind == ItemType.MAXIMUM_LENGTH and len(data) == MAX_LENGTH.size:
                return int(MAX_LENGTH.unpack(data)[0])
    except ProtocolViolation:
        return default
    return default


def rejection(body: bytes) -> str:
    """Return why a peer rejects an association (PS3.8 Section 9.3.4)."""
    result, source, reason = (*body[1:4], 0, 0, 0)[:3]
    text = _REASONS.get((source, reason), f"reason {result}/{source}/{reason}")
    transient = 2
    return f"{text}, for the moment" if result == transient else text
