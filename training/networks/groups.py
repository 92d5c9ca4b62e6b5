"""The groups of a network that may learn at rates of their own: its blocks, and its head."""

import re

import keras

from pacs_ai.model.network import LOGITS

HEAD = "head"
_BLOCK = re.compile(r"[a-z]+\d*")


def groups(network: keras.Model) -> dict[str, list[str]]:
    """List the groups from the image upwards, the last of them the head.

    Parameters
    ----------
    network
        A network that `build_network` made.

    Returns
    -------
    dict
        By the name of the group the paths of its weights. The layers of a block begin with its
        name and number: ``conv5_block1_out`` is in ``conv5``, ``block5a_add`` in ``block5``.
    """
    found: dict[str, list[str]] = {}
    for layer in network.layers:
        if layer.weights:
            name = HEAD if layer.name == LOGITS else block_of(layer.name)
            found.setdefault(name, []).extend(variable.path for variable in layer.weights)
    return found


def block_of(layer: str) -> str:
    """Return the name of the block of a layer."""
    begun = _BLOCK.match(layer)
    return begun[0] if begun else layer


def rate_factors(network: keras.Model, head_rate: float, depth_decay: float) -> dict[str, float]:
    """Return the factor of the learning rate of each group, from the image upwards.

    Parameters
    ----------
    network
        The network, with the layers frozen that do not learn: a group of these alone has 0.
    head_rate
        Of the head.
    depth_decay
        Of each block relative to the block above it; the last block has 1.
    """
    learning = {weight.path for weight in network.trainable_weights}
    blocks = {name: paths for name, paths in groups(network).items() if name != HEAD}
    factors = {
        name: depth_decay ** (len(blocks) - 1 - number) if learning & set(paths) else 0.0
        for number, (name, paths) in enumerate(blocks.items())
    }
    return factors | {HEAD: head_rate}
