"""Give a network the pretrained weights of the weights folder."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from pacs_ai.errors import ConfigError
from training.pretrained.catalogue import KNOWN
from training.pretrained.folder import find_record, read_arrays
from training.recipe.learning import Network


def load_start(base: keras.Model, network: str) -> None:
    """Give the layers of a base their pretrained weights.

    Parameters
    ----------
    base
        The layers below the head.
    network
        The name of the network in the weights folder.

    Raises
    ------
    ConfigError
        If the weights are absent or damaged, or do not fit the network.
    """
    arrays = read_arrays(network)
    for variable in base.weights:
        found = arrays.get(variable.path)
        if found is None or found.shape != tuple(variable.shape):
            raise ConfigError(
                f"the weights of {network} do not fit {variable.path} {tuple(variable.shape)}"
            )
        variable.assign(np.asarray(found))


def base_arrays(base: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights of a base, by the path of each variable."""
    return {variable.path: variable.numpy() for variable in base.weights}


def describe_start(config: Network) -> Mapping[str, object]:
    """Say what a network starts from, for the summary of a run and the model card.

    Returns
    -------
    Mapping
        Of ImageNet weights the record in the weights folder, or the entry of the catalogue; of a
        file its name and SHA-256; {} of random weights.
    """
    if config.weights == "none":
        return {}
    if config.weights == "imagenet":
        record = find_record(config.architecture)
        return asdict(record or KNOWN[config.architecture]) | {"network": config.architecture}
    path = Path(config.weights)
    with path.open("rb") as file:
        return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
