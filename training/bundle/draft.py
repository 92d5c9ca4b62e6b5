"""A new bundle is written beside its place, and takes it when it is whole."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.model.bundle import MANIFEST
from training.run.disk import make_folder


def checked_target(folder: Path) -> Path:
    """Refuse a folder that exists and is not a bundle: it must not be replaced.

    Raises
    ------
    ConfigError
        If it is one.
    """
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder} exists and is not a bundle: --out has to name a new folder")
    return folder


@contextlib.contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """Give a folder to write in; it replaces ``folder`` at the end, or is removed on an error."""
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
    """Remove what `draft_of` left where its process was ended; return its place."""
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    return draft
