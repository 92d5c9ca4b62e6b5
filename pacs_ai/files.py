"""Files that are there whole or not at all, and what the system says where that fails.

The spool has a way of its own for instances (`pacs_ai.store.spool`): their bytes arrive over time,
and their names are new each time.
"""

import errno
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pacs_ai.digests import RunningDigest
from pacs_ai.errors import NoSpace, StorageError

PRIVATE = 0o600
"""Permissions of a file that its owner alone may read."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DRAFT = re.compile(r"\..+\.[0-9a-f]{32}\.draft")
_ABANDONED_SECONDS = 86_400
"""Age at which nobody writes a draft any more: its process was killed."""


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that an instance is being written to: its path, and an open descriptor.

    The path is a string: making a `Path` for each instance takes longer than opening the file.
    ``digest`` takes the bytes of the data set as they arrive; None if nobody wants to know it.
    """

    filename: str
    fd: int
    digest: RunningDigest | None = None

    @property
    def path(self) -> Path:
        """The same as a path."""
        return Path(self.filename)


def atomic_write(
    path: Path,
    content: str | bytes,
    *,
    durable: bool = True,
    replace: bool = True,
    mode: int = 0o666,
) -> None:
    """Write a file that holds all of its new content, or is as it was before.

    Parameters
    ----------
    content
        Text is written in UTF-8.
    durable, replace, mode
        As for `atomic_file`.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If the file cannot be written for another reason.
    """
    with atomic_file(path, durable=durable, replace=replace, mode=mode) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_file(
    path: Path, *, durable: bool = True, replace: bool = True, mode: int = 0o666
) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name when the block ends.

    If the block ends with an error, `path` is as it was before and nothing else is left. An
    `OSError` of the block counts as one of the file.

    Parameters
    ----------
    path
        The file; its folder exists.
    durable
        Flush the file and its name to the disk, so that they outlive a power cut.
    replace
        Take the place of a file with this name; otherwise an existing file stays, also one that
        another process makes at the same time.
    mode
        Permissions, less those that the process's umask takes away.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If the file cannot be written for another reason.
    """
    _remove_abandoned(path.parent)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.draft")
    with translated(path, "cannot be written"):
        try:
            with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), "w+b") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            _name(draft, path, replace=replace)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
        if durable:
            sync_folder(path.parent)


def sync_folder(folder: Path | str) -> None:
    """Flush a folder: then a name that was made in it outlives a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def is_full(error: OSError) -> bool:
    """Tell whether there was no room for what was to be written.

    Libraries raise a new error over the one that the system gave, such as pydicom, which says in
    which element of a file it happened: the first cause counts.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        cause = cause.__cause__
    return False


@contextmanager
def translated(path: object, problem: str = "") -> Iterator[None]:
    """Raise an error of the file system as an error of `pacs_ai.errors`.

    Parameters
    ----------
    path
        Named by the error.
    problem
        What is wrong with it, such as "cannot be read".

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        In place of every other `OSError`.
    """
    try:
        yield
    except OSError as error:
        kind = NoSpace if is_full(error) else StorageError
        raise kind(f"{path} {problem}".rstrip() + f": {error.strerror}") from error


def _name(draft: Path, path: Path, *, replace: bool) -> None:
    if replace:
        draft.replace(path)
    else:
        with suppress(FileExistsError):  # link() never replaces: of two processes one wins
            os.link(draft, path)


@lru_cache(maxsize=1024)
def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left in a folder; each process looks once."""
    before = time.time() - _ABANDONED_SECONDS
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _DRAFT.fullmatch(entry.name) and entry.stat().st_mtime < before:
                Path(entry.path).unlink(missing_ok=True)
