"""Disks that are full: said in our own words, with the folder and what to do."""

import contextlib
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_ai.errors import NoSpace, StorageError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def room(folder: Path, remedy: str = "free some space; --resume then goes on") -> Iterator[None]:
    """Say which folder was being written when the disk was full, and what to do.

    Raises
    ------
    NoSpace
        If the disk is full, a quota is used up, or a file may not become so large.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise NoSpace(f"the disk that holds {folder} is full: {remedy}") from error


def made(folder: Path) -> Path:
    """Make a folder, unless it is there, and return it.

    Raises
    ------
    StorageError
        If it cannot be made.
    """
    try:
        with room(folder, "free some space, or name another folder"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from error
    return folder


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


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is there either as it was or as it should be, never half.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If it cannot be written for another reason.
    """
    draft = path.with_name(path.name + ".draft")
    raw = content.encode("utf-8") if isinstance(content, str) else content
    try:
        with draft.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        kind = NoSpace if is_full(error) else StorageError
        raise kind(f"{path} cannot be written: {error.strerror}") from error
