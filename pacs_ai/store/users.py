"""Users of the listener: rows with a name and the digest of a passcode, never the passcode."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import sqlalchemy as sa

from pacs_ai.errors import StateError
from pacs_ai.store.session import Session, Transaction
from pacs_ai.store.transition import record
from pacs_ai.store.user_table import DicomUser

_VALID, _REMOVED = "VALID", "REMOVED"


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user as people see it."""

    name: str
    created_at: datetime
    removed_at: datetime | None

    @classmethod
    def of(cls, row: DicomUser) -> Self:
        """Make the record of a user."""
        return cls(row.name, row.created_at, row.removed_at)


def add(transaction: Transaction, name: str, digest: str) -> None:
    """Add a user.

    Parameters
    ----------
    digest
        Of the passcode, as `pacs_ai.net.passcodes` makes it.

    Raises
    ------
    StateError
        If there is a user of this name.
    """
    if _valid(transaction, name) is not None:
        raise StateError(f"there is a user {name!r} already: remove it first, or say --replace")
    row = DicomUser(name=name, passcode_digest=digest, created_at=transaction.now)
    transaction.add(row)
    transaction.flush()
    record(transaction, "user", row.id, "", _VALID, note=name)


def remove(transaction: Transaction, name: str) -> bool:
    """Remove the user of a name; False if there is none."""
    row = _valid(transaction, name)
    if row is None:
        return False
    row.removed_at = transaction.now
    transaction.flush()
    record(transaction, "user", row.id, _VALID, _REMOVED, note=name)
    return True


def listed(session: Session) -> list[UserRecord]:
    """Return all users, the removed ones too, in the order in which they were made."""
    query = sa.select(DicomUser).order_by(DicomUser.id)
    return [UserRecord.of(row) for row in session.scalars(query)]


def digests(session: Session) -> dict[str, str]:
    """Return the digests of the passcodes of those who may call, by their names."""
    query = sa.select(DicomUser.name, DicomUser.passcode_digest).where(
        DicomUser.removed_at.is_(None)
    )
    return {row.name: row.passcode_digest for row in session.execute(query)}


def _valid(session: Session, name: str) -> DicomUser | None:
    return session.scalar(
        sa.select(DicomUser).where(DicomUser.name == name, DicomUser.removed_at.is_(None))
    )
