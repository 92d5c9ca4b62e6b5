"""The place of a new bundle: a folder of its own, or that of an older bundle."""

from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.model.bundle import MANIFEST


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
