"""Weights of a network on disk: arrays, in the order of its variables."""

import io
import zipfile
from pathlib import Path

import keras
import numpy as np

from pacs_ai.errors import BundleInvalid, ConfigError
from pacs_ai.files import atomic_write

_HEAD = 2  # kernel and bias of the last layer


def save_weights(network: keras.Model, path: Path) -> None:
    """Write all variables of a network, as one atomic write."""
    content = io.BytesIO()
    np.savez(content, *network.get_weights(), allow_pickle=False)
    atomic_write(path, content.getvalue())


def load_weights(network: keras.Model, path: Path) -> None:
    """Read variables into a network of the same recipe.

    Raises
    ------
    BundleInvalid
        If the file is missing or damaged, or belongs to another network.
    """
    try:
        network.set_weights(_read(path))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BundleInvalid(f"{path} does not hold the weights of this network") from error


def start_from(network: keras.Model, path: Path) -> None:
    """Load the weights of another run; those of the head only if it has as many classes.

    Raises
    ------
    ConfigError
        If the file is missing or damaged, or the network below the head is different.
    """
    own = network.get_weights()
    try:
        given = _read(path)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}, which network.weights names, holds no weights") from error
    if [a.shape for a in given[:-_HEAD]] != [a.shape for a in own[:-_HEAD]]:
        raise ConfigError(f"{path} holds weights of another network than network.architecture")
    same_head = [a.shape for a in given[-_HEAD:]] == [a.shape for a in own[-_HEAD:]]
    network.set_weights(given if same_head else [*given[:-_HEAD], *own[-_HEAD:]])


def _read(path: Path) -> list[np.ndarray]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return [arrays[f"arr_{index}"] for index in range(len(arrays.files))]
