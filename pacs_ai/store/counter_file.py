"""Counts that outlive the process that counts: numbers with names, in a small file.

Each count has a place of its own in the file, and is written there as soon as it changes. What a
process has handed to the system stays there if the process is killed: nothing is lost but what a
power cut takes. One process writes, any number may read.
"""

import contextlib
import os
import struct
import threading
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
        self._places: dict[str, int] = {}

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
            for name in self._values:
                self._write(name)

    def add(self, name: str, amount: float = 1.0) -> None:
        """Add to a count; one that is new begins at zero.

        Parameters
        ----------
        name
            1 to 56 ASCII characters.
        """
        with self._lock:
            self._values[name] = self._values.get(name, 0.0) + amount
            if self._fd >= 0:
                self._write(name)

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

    def _write(self, name: str) -> None:
        """Write one count; a full disk loses nothing, as its next change is written again."""
        place = self._places.setdefault(name, len(self._places))
        with contextlib.suppress(OSError):
            entry = _ENTRY.pack(name.encode("ascii"), self._values[name])
            os.pwrite(self._fd, entry, place * _ENTRY.size)


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
