"""Tokens of the page and the REST API: rows with a name, a role and a digest, never the token."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import sqlalchemy as sa

from pacs_ai.domain import Role
from pacs_ai.errors import StateError
from pacs_ai.store.session import Session, Transaction
from pacs_ai.store.token_table import Token
from pacs_ai.store.transition import record

_VALID, _REVOKED = "VALID", "REVOKED"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as people see it."""

    id: int
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: Token) -> Self:
        """Make the record of a token."""
        return cls(row.id, row.name, Role(row.role), row.created_at, row.revoked_at)


def add(transaction: Transaction, name: str, role: Role, digest: str) -> None:
    """Add a valid token.

    Parameters
    ----------
    digest
        SHA-256 of the token, 64 hex digits.

    Raises
    ------
    StateError
        If there is a valid token of this name.
    """
    if _valid(transaction, name) is not None:
        raise StateError(f"there is a token {name!r} already: revoke it first, or use another name")
    row = Token(name=name, role=role, token_sha256=digest, created_at=transaction.now)
    transaction.add(row)
    transaction.flush()
    record(transaction, "token", row.id, "", _VALID, note=f"{name}: {role}")


def revoke(transaction: Transaction, name: str) -> bool:
    """Make the valid token of a name invalid; False if there is none."""
    row = _valid(transaction, name)
    if row is None:
        return False
    row.revoked_at = transaction.now
    record(transaction, "token", row.id, _VALID, _REVOKED, note=name)
    return True


def listed(session: Session) -> list[TokenRecord]:
    """Return all tokens, the revoked ones too, in the order in which they were made."""
    return [TokenRecord.of(row) for row in session.scalars(sa.select(Token).order_by(Token.id))]


def find(session: Session, digest: str) -> TokenRecord | None:
    """Return the valid token with this digest."""
    query = sa.select(Token).where(Token.token_sha256 == digest, Token.revoked_at.is_(None))
    row = session.scalar(query)
    return None if row is None else TokenRecord.of(row)


def find_valid(session: Session, token_id: int) -> TokenRecord | None:
    """Return the token with this id if it is valid."""
    row = session.get(Token, token_id)
    return None if row is None or row.revoked_at is not None else TokenRecord.of(row)


def any_valid(session: Session) -> bool:
    """Whether there is a valid token."""
    return (
        session.scalar(sa.select(Token.id).where(Token.revoked_at.is_(None)).limit(1)) is not None
    )


def any_made(session: Session) -> bool:
    """Whether a token was ever made, valid or not."""
    return session.scalar(sa.select(Token.id).limit(1)) is not None


def _valid(session: Session, name: str) -> Token | None:
    return session.scalar(sa.select(Token).where(Token.name == name, Token.revoked_at.is_(None)))
