"""User names and passcodes that a caller may have to show (PS3.7 Annex D.3.3.7)."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.net.passcodes import is_passcode

USERNAME = 1
"""User-Identity-Type of a name without a proof."""
USERNAME_AND_PASSCODE = 2
"""User-Identity-Type of name and passcode, the only proof that needs no third party."""


class Users:
    """Who may call; no passcode is ever printed.

    Parameters
    ----------
    passcodes
        Passcodes by user name.
    digests
        Digests of passcodes by user name; a user may be in both.
    """

    def __init__(
        self, passcodes: Mapping[str, str], digests: Mapping[str, str] | None = None
    ) -> None:
        self._passcodes = {name.encode(): passcode.encode() for name, passcode in passcodes.items()}
        self._digests = {name.encode(): digest for name, digest in (digests or {}).items()}
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()

    def __repr__(self) -> str:
        return f"Users({len(self)})"

    def __len__(self) -> int:
        return len(self._passcodes.keys() | self._digests.keys())

    @classmethod
    def joined(cls, known: "Users | None", digests: Mapping[str, str]) -> "Users":
        """Add users, of whom only the digests of their passcodes are known, to others."""
        users = cls({}, digests)
        if known is not None:
            users._passcodes = known._passcodes
        return users

    def knows(self, name: bytes) -> bool:
        """Tell whether there is such a user; for logs, not for answers to callers."""
        return name in self._passcodes or name in self._digests

    def admit(self, name: bytes, passcode: bytes) -> bool:
        """Tell whether this is a user's passcode, in a time that does not depend on it."""
        expected = self._passcodes.get(name)
        right = hmac.compare_digest(passcode, b"" if expected is None else expected)
        return (right and expected is not None) or self._fits_digest(name, passcode)

    def _fits_digest(self, name: bytes, passcode: bytes) -> bool:
        """Compare with the digest of a user; one that was right is remembered, as it is slow."""
        digest = self._digests.get(name)
        if digest is None:
            return False
        shown = hmac.digest(self._key, b"%d|%b|%b" % (len(name), name, passcode), hashlib.sha256)
        if shown in self._right:
            return True
        right = is_passcode(passcode, digest)
        if right:
            self._right.add(shown)
        return right


CurrentUsers = Callable[[], Users | None]
"""Gives who may call now; None: no caller has to show who it is."""


def read_passcode(path: Path) -> str:
    """Read the passcode that this node shows a peer: the first line of a file.

    Raises
    ------
    ConfigError
        If it cannot be read, is empty, or everybody may read it.
    """
    lines = _read(path, "passcode").splitlines()
    if not lines or not lines[0].strip():
        raise ConfigError(f"passcode {path}: its first line is empty")
    return lines[0].strip()


def _read(path: Path, what: str) -> str:
    """Read a file of secrets; refuse one that everybody may read."""
    try:
        text = path.read_text("utf-8")
        mode = path.stat().st_mode
    except OSError as error:
        reason = str(error.strerror).lower()
        raise ConfigError(f"{what} {path}: cannot be read ({reason})") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} {path}: is not UTF-8 text") from None
    if mode & 0o007:
        raise ConfigError(f"{what} {path}: everybody may read it: chmod 600 {path}")
    return text


def read_users(path: Path) -> Users:
    """Read a file of lines ``name:passcode``; empty lines and those that begin with # are skipped.

    Raises
    ------
    ConfigError
        If it cannot be read, has no user or one twice, or everybody may read it.
    """
    return Users(_passcodes(path))


def file_users(path: Path) -> list[str]:
    """Return the names in a file of users; see `read_users`."""
    return list(_passcodes(path))


def _passcodes(path: Path) -> dict[str, str]:
    passcodes: dict[str, str] = {}
    for number, line in enumerate(_read(path, "users").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, passcode = line.partition(":")
        if not (colon and name.strip() and passcode):
            raise ConfigError(f"users {path}: line {number} is not name:passcode")
        if name.strip() in passcodes:
            raise ConfigError(f"users {path}: line {number} names a user a second time")
        passcodes[name.strip()] = passcode
    if not passcodes:
        raise ConfigError(f"users {path}: nobody is in it")
    return passcodes
