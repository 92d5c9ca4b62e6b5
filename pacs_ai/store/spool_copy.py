"""Copy the files of a spool while nodes write, and put copies back.

A file below the folders of a node never changes once it has its name: a copy of the same size is
whole. Files directly in the spool, or directly in a node's folder, are replaced as a whole when
they change.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from pacs_ai.files import PRIVATE, translated

_LOCK, _PARTS = "lock", "tmp"
_COUNTED = ("instances", "results")
"""Folders of a node in which only files count that a row names."""


def lasting_files(root: Path) -> Iterator[str]:
    """Give the files that do not change: everything in the folders of nodes.

    Parts that are still being written are left out.
    """
    for home in _folders(root):
        for folder in _folders(home):
            if folder.name != _PARTS:
                for place, _, names in os.walk(folder):
                    for name in names:
                        if not name.startswith("."):
                            yield (Path(place) / name).relative_to(root).as_posix()


def state_files(root: Path) -> Iterator[str]:
    """Give the files that are replaced when they change, without the locks of nodes."""
    for folder in (root, *_folders(root)):
        for entry in _entries(folder):
            if entry.is_file() and entry.name != _LOCK and not entry.name.startswith("."):
                yield Path(entry.path).relative_to(root).as_posix()


def copy_files(source: Path, target: Path, files: Iterator[str], *, again: bool = False) -> int:
    """Copy files of one folder to another, with their times; return how many were copied.

    Parameters
    ----------
    files
        Relative to both folders. One that is gone meanwhile is left out.
    again
        Copy a file of the same size again: it may have changed.

    Raises
    ------
    StorageError
        If a file cannot be copied.
    """
    count = 0
    for relative in files:
        with translated(relative, "cannot be copied"):
            try:
                count += _copy(source / relative, target / relative, again=again)
            except FileNotFoundError:
                continue
    return count


def remove_others(root: Path, named: Collection[str], beside: Path) -> int:
    """Remove from a copy what belongs to no row, or is no longer in the spool.

    Parameters
    ----------
    root
        The copy.
    named
        Files that rows name; others of instances and results are removed.
    beside
        The spool; what it has in other folders stays in the copy.

    Returns
    -------
    int
        How many were removed.
    """
    removed = 0
    for relative in list(lasting_files(root)):
        counted = relative.split("/")[1] in _COUNTED
        kept = relative in named or (not counted and (beside / relative).is_file())
        if not kept:
            (root / relative).unlink(missing_ok=True)
            removed += 1
    return removed


def _copy(source: Path, target: Path, *, again: bool) -> bool:
    size = source.stat().st_size
    if not again and target.is_file() and target.stat().st_size == size:
        return False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.copy")
    try:
        shutil.copyfile(source, draft)
        shutil.copystat(source, draft)  # how old a file is decides when it is removed
        draft.chmod(PRIVATE)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return True


def _folders(root: Path) -> Iterator[Path]:
    return (Path(entry.path) for entry in _entries(root) if entry.is_dir())


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with translated(folder, "cannot be read"), os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)
