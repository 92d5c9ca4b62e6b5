"""Counts that outlive the process that counts: numbers with names, in a small file.

The file is written as soon as a count changes, in one piece: it has a few dozen counts. What a
process has handed to the system stays there if the process is killed: nothing is lost but what a
power cut takes. One process writes, any number may read.
"""

import contextlib
import os
import struct
import threading
from collections.abc import Mapping
from pathlib import Path

from pacs_ai.files import translated

_ENTRY = struct.Struct("<56sd")
"""Name in ASCII, padded with zeros; value."""


class CounterFile:
    """The counts of one process.

    Parameters
    ----------
    path
        The file; `open` makes it if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._lock = threading.Lock()
        self._values: dict[str, float] = {}

    def open(self) -> None:
        """Open the file and go on from what it holds; before that, counts stay in memory.

        Raises
        ------
        StorageError
            If it cannot be opened.
        """
        with translated(self._path), self._lock:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for name, value in _read(self._path.read_bytes()).items():
                self._values[name] = self._values.get(name, 0.0) + value
            self._write()
            os.ftruncate(self._fd, len(self._values) * _ENTRY.size)

    def add(self, amounts: Mapping[str, float]) -> None:
        """Add to counts; one that is new begins at zero.

        All of them take one write: while a thread writes, the others run on and wait for the lock.

        Parameters
        ----------
        amounts
            By name: 1 to 56 ASCII characters.
        """
        with self._lock:
            for name, amount in amounts.items():
                self._values[name] = self._values.get(name, 0.0) + amount
            if self._fd >= 0:
                self._write()

    def read(self) -> dict[str, float]:
        """Return all counts."""
        with self._lock:
            return dict(self._values)

    def close(self) -> None:
        """Close the file; what is counted now stays in memory."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _write(self) -> None:
        """Write all counts; a full disk loses nothing, as the next change writes them again."""
        entries = (_ENTRY.pack(name.encode("ascii"), one) for name, one in self._values.items())
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, b"".join(entries), 0)


def read_counters(path: Path) -> dict[str, float]:
    """Return the counts that a file holds now; none if there is no such file.

    Raises
    ------
    StorageError
        If it cannot be read.
    """
    with translated(path):
        return _read(path.read_bytes()) if path.exists() else {}


def _read(content: bytes) -> dict[str, float]:
    whole = len(content) - len(content) % _ENTRY.size
    entries = ((name.rstrip(b"\0"), value) for name, value in _ENTRY.iter_unpack(content[:whole]))
    return {name.decode("ascii", "replace"): value for name, value in entries if name}
