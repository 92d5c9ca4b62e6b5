"""Tokens of the page and the REST API: add, list, revoke, and whose a token is."""

import hashlib
import re
import secrets
from dataclasses import dataclass

from pacs_ai.domain import Role
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.store import tokens
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.tokens import TokenRecord
from pacs_ai.store.transition import RULES

_PREFIX = "pacsai_"
"""Lets people and programs that search for secrets recognise a token."""

_BYTES = 32
"""Of chance in a token: nobody guesses 256 bits, so the digest need not be slow or salted."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@+-]{0,62}")
LOCAL = "local"
"""In the audit trail: a program on this machine that shows no token."""
_RESERVED = (ACTOR, RULES, LOCAL)
"""Actors of the audit trail that are nobody's token."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made. Only this record has the token itself."""

    name: str
    role: Role
    token: str


def add_token(context: FlowContext, name: str, role: Role) -> NewToken:
    """Make a token.

    Parameters
    ----------
    name
        Who will use it; what is done with it has this name in the audit trail.

    Raises
    ------
    StateError
        If there is a valid token of this name, or the name cannot be used.
    """
    if _NAME.fullmatch(name) is None or name.lower() in _RESERVED:
        taken = ", ".join(_RESERVED)
        raise StateError(
            f"{name!r} cannot be the name of a token: at most 63 letters, digits, spaces and . _ @"
            f" + -, and not {taken}"
        )
    token = _PREFIX + secrets.token_urlsafe(_BYTES)
    with context.write() as transaction:
        tokens.add(transaction, name, role, _digest(token))
    return NewToken(name, role, token)


def list_tokens(context: FlowContext) -> list[TokenRecord]:
    """Return all tokens, the revoked ones too, the oldest first."""
    with context.database.read() as session:
        return tokens.listed(session)


def revoke_token(context: FlowContext, name: str) -> None:
    """Make a token invalid, at once and for good.

    Raises
    ------
    StateError
        If there is no valid token of this name.
    """
    with context.write() as transaction:
        if not tokens.revoke(transaction, name):
            raise missing(f"there is no valid token {name!r}")


def token_owner(context: FlowContext, token: str) -> TokenRecord | None:
    """Return whose token this is; None if it is not valid."""
    with context.database.read() as session:
        return tokens.find(session, _digest(token))


def valid_token(context: FlowContext, token_id: int) -> TokenRecord | None:
    """Return the token with this id; None if it is not valid any more."""
    with context.database.read() as session:
        return tokens.find_valid(session, token_id)


def has_tokens(context: FlowContext) -> bool:
    """Whether there is a valid token."""
    with context.database.read() as session:
        return tokens.any_valid(session)


def had_tokens(context: FlowContext) -> bool:
    """Whether a token was ever made: to revoke the last one does not open the page again."""
    with context.database.read() as session:
        return tokens.any_made(session)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
