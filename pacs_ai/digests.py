"""Digests of stored bytes: which algorithm made one is written before it.

``blake3:`` and 64 hexadecimal digits. A digest without a prefix is SHA-256: older versions wrote it
so, and it stays as it is.
"""

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from blake3 import blake3

from pacs_ai.errors import StorageError


class Hash(Protocol):
    """What algorithms have in common, as in `hashlib`."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Take more bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, as hexadecimal digits."""
        ...


_UNNAMED: Final = "sha256"
_NEW: Final = "blake3"
_ALGORITHMS: dict[str, Callable[[], Hash]] = {_NEW: blake3, _UNNAMED: hashlib.sha256}


class RunningDigest:
    """The digest of bytes that come one after the other.

    Parameters
    ----------
    known
        A digest that the new one will be compared with: its algorithm is taken. Empty: the
        algorithm of new rows.

    Raises
    ------
    StorageError
        If a later version made the known digest, with an algorithm that this one does not have.
    """

    __slots__ = ("_hash", "_prefix", "update")

    def __init__(self, known: str = "") -> None:
        name = _algorithm(known) if known else _NEW
        make = _ALGORITHMS.get(name)
        if make is None:
            raise StorageError(f"a stored digest is of an unknown algorithm: {name[:16]}")
        self._hash = make()
        self._prefix = "" if name == _UNNAMED else f"{name}:"
        self.update = self._hash.update

    def text(self) -> str:
        """Return the digest as rows have it: at most 71 characters."""
        return self._prefix + self._hash.hexdigest()


def digest_of(*pieces: bytes) -> str:
    """Return the digest of bytes, in one piece or in several, as new rows have it."""
    running = RunningDigest()
    for piece in pieces:
        running.update(piece)
    return running.text()


def comparable(first: str, second: str) -> bool:
    """Tell whether two digests are of one algorithm, so that equal bytes have equal digests."""
    return _algorithm(first) == _algorithm(second)


def _algorithm(digest: str) -> str:
    return digest.rpartition(":")[0] or _UNNAMED
