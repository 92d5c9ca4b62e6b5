"""Write the manifest of a bundle, with the hashes of its files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pacs_ai.model.bundle import MANIFEST
from training.recipe.toml import dumps


def write_manifest(folder: Path, values: Mapping[str, object]) -> None:
    """Write ``model.toml``.

    Parameters
    ----------
    folder
        Has all other files of the bundle, and nothing else.
    values
        What the manifest states; the hashes are added.
    """
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    text = dumps({**values, "sha256": hashes})
    (folder / MANIFEST).write_text(text, encoding="utf-8")
