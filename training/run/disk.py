"""Folders of a run, and clear errors for a full disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_ai.errors import NoSpace
from pacs_ai.files import is_full, translated

DRAFT = ".draft"
"""End of the name of a folder that is not complete yet."""


@contextmanager
def clear_disk_errors(
    folder: Path, remedy: str = "free some space; --resume then goes on"
) -> Iterator[None]:
    """Turn the error of a full disk into one that names the folder and the remedy.

    Raises
    ------
    NoSpace
        If the disk is full, a quota is used up, or the file is too large for the system.
    """
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        raise NoSpace(f"the disk that holds {folder} is full: {remedy}") from error


def make_folder(folder: Path) -> Path:
    """Create a folder if it does not exist, and return it.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If it cannot be created for another reason.
    """
    with (
        translated(folder, "cannot be made"),
        clear_disk_errors(folder, "free some space, or name another folder"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_place(folder: Path) -> None:
    """Check that a draft of a folder can be written, before anything is computed for it.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If it cannot be created for another reason.
    """
    draft = remove_draft(folder)
    make_folder(draft)
    draft.rmdir()


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """Give a new folder to write in, which takes the place of ``folder`` when the block ends.

    If the block ends with an error, the draft is removed and ``folder`` is as it was before.

    Raises
    ------
    NoSpace
        If the disk is full.
    StorageError
        If the draft cannot be created.
    """
    draft = remove_draft(folder)
    make_folder(draft)
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def remove_draft(folder: Path) -> Path:
    """Remove the draft that a killed process left of a folder; return its place."""
    draft = folder.with_name(f"{folder.name}{DRAFT}")
    shutil.rmtree(draft, ignore_errors=True)
    return draft
