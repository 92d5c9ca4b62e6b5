"""A feature map from the middle of a network, beside the last one.

The last map is made to tell the classes of the training apart. What is of no use for that is lost
in it, so images of another kind often look familiar there. A map from the middle still shows
textures and shapes of many kinds, and images of another kind lie far from those of training.
"""

import keras
import numpy as np
from keras import layers

from training.networks.head import split_head
from training.recipe.learning import Backbone, EfficientNetLite, Head, SmallResNet

_MEMBER = "member0"
_OF_BACKBONES = {
    "resnet50": "conv4_block6_out",
    "resnet50v2": "conv4_block5_out",
    "resnet101": "conv4_block23_out",
    "vgg16": "block4_conv3",
    "densenet121": "pool4_conv",
    "efficientnetb0": "block5c_add",
}


def middle_layer(config: Head) -> str:
    """Name the layer whose map is taken: about two thirds of the way up; "" if none is known."""
    if isinstance(config, SmallResNet):
        return f"stage{len(config.stages) - 1}_block{config.blocks}_out"
    if isinstance(config, EfficientNetLite):
        return "block5c_add"
    return _OF_BACKBONES.get(config.architecture, "") if isinstance(config, Backbone) else ""


def with_middle(network: keras.Model, name: str) -> tuple[keras.Model, int]:
    """Append the mean of a map from the middle to the last feature map.

    Parameters
    ----------
    network
        A network with a head that `split_head` accepts, or an ensemble of such networks, of which
        the first member is looked into.
    name
        The layer whose map is taken.

    Returns
    -------
    tuple
        The network, and how many channels were appended: 0 if it has no such layer. The appended
        channels have the same value at each place, and the weight 0 in the head. So the logits, and
        the heat maps in closed form, are those of the given network.
    """
    known = {layer.name for layer in network.layers}
    inner = network.get_layer(_MEMBER) if _MEMBER in known else network
    if name not in {layer.name for layer in inner.layers}:
        return network, 0
    features, dense = split_head(network)
    middle = keras.Model(inner.input, inner.get_layer(name).output)(network.input)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="middle")(middle)
    everywhere = layers.UpSampling2D(tuple(features.shape[1:3]), name="everywhere")(mean)
    joined = layers.Concatenate(name="with_middle")([features, everywhere])
    pooled = layers.GlobalAveragePooling2D(name="pooled_with_middle")(joined)
    head = layers.Dense(dense.units, use_bias=dense.use_bias, dtype="float32", name="served_logits")
    served = keras.Model(network.input, head(pooled), name="served")
    kernel, *bias = dense.get_weights()
    zeros = np.zeros((mean.shape[-1], dense.units), dtype=kernel.dtype)
    head.set_weights([np.concatenate([kernel, zeros]), *bias])
    return served, int(mean.shape[-1])
