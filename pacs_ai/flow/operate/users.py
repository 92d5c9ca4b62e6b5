"""Users of the listener, who show a name and a passcode: add, list, remove."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.net.passcodes import passcode_digest
from pacs_ai.net.users import file_users
from pacs_ai.store import users

_LONGEST = 64
_BYTES = 18
"""Of chance in a passcode that is made: 24 characters that a person can type."""


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user that was added, with the passcode if the node has made it."""

    name: str
    passcode: str | None


@dataclass(frozen=True, slots=True)
class UserLine:
    """A user as people see it; ``source`` is "database" or "file" (``node.users``)."""

    name: str
    source: str
    created_at: datetime | None
    removed_at: datetime | None


def add_user(
    context: FlowContext, name: str, passcode: str | None, *, replace: bool = False
) -> NewUser:
    """Let a user call, within a second and on every node of the database.

    As soon as there is a user, every caller must be one.

    Parameters
    ----------
    passcode
        None makes one.
    replace
        Give a user of this name, if there is one, the new passcode.

    Raises
    ------
    StateError
        If there is a user of this name, or name or passcode cannot be used.
    """
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= _LONGEST:
        raise StateError(f"{name!r} cannot be the name of a user: 1 to {_LONGEST} characters")
    if passcode == "":
        raise StateError("the passcode is empty")
    used = passcode or secrets.token_urlsafe(_BYTES)
    digest = passcode_digest(used)
    with context.write() as transaction:
        if replace:
            users.remove(transaction, name)
        users.add(transaction, name, digest)
    return NewUser(name, used if passcode is None else None)


def list_users(context: FlowContext) -> list[UserLine]:
    """Return all users, the removed ones too: those of the file, then those of the database."""
    path = context.config.node.users
    names = [] if path is None else file_users(path)
    given = [UserLine(name, "file", None, None) for name in names]
    with context.database.read() as session:
        rows = users.listed(session)
    return given + [UserLine(row.name, "database", row.created_at, row.removed_at) for row in rows]


def remove_user(context: FlowContext, name: str, *, last: bool = False) -> None:
    """Let a user open no more associations, within a second.

    Parameters
    ----------
    last
        Remove the last user as well: after that no caller has to show who it is.

    Raises
    ------
    StateError
        If the database has no user of this name, or if this user is the last one.
    """
    with context.write() as transaction:
        if not users.remove(transaction, name):
            raise missing(f"there is no user {name!r} in the database")
        others = users.digests(transaction) or context.config.node.users
        if not others and not last:
            raise StateError(
                f"{name!r} is the last user: without users no caller has to show who it is. Add"
                " another one first, or say --last if that is meant"
            )
