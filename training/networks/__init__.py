"""The networks: a base, global average pooling, dropout, and one linear dense layer.

The head is always the same, because Grad-CAM in closed form is exact only for it
(docs/adr/0003-onnx-serving-and-closed-form-grad-cam.md).
"""

from collections.abc import Mapping
from pathlib import Path

import keras
from keras import layers

from pacs_ai.model.spec import InputSpec
from training.networks.backbone import backbone
from training.networks.base import Base
from training.networks.convnext import convnext
from training.networks.lite import lite
from training.networks.small import small_resnet
from training.networks.weights import start_from
from training.recipe.learning import Backbone, ConvNeXt, EfficientNetLite, Head, SmallResNet

FEATURES, POOLED, DROPOUT, LOGITS = "features", "pooled", "dropout", "logits"
"""Names of the layers of the head: the last feature map, its mean, and the network's output."""

BASES: Mapping[type[Head], Base] = {
    SmallResNet: small_resnet,
    EfficientNetLite: lite,
    Backbone: backbone,
    ConvNeXt: convnext,
}
"""The base of each form of the section ``[network]``; docs/extending.md says how to add one."""


def build_network(spec: InputSpec, config: Head, classes: int) -> keras.Model:
    """Build a network, with random weights unless ``config.weights`` names a file.

    Parameters
    ----------
    spec
        Size and channels of the input.
    config
        The section ``[network]`` of the recipe.
    classes
        Number of outputs.

    Returns
    -------
    keras.Model
        From images (n, height, width, channels) to logits (n, classes), float32 in any precision;
        layer ``features`` holds the last feature map.

    Raises
    ------
    ConfigError
        If the weights do not fit the input or the network, or their file is missing.
    """
    image = keras.Input((spec.height, spec.width, spec.channels), name="image")
    x = BASES[type(config)](image, config)
    x = layers.Activation("linear", name=FEATURES)(x)  # (n, h, w, k)
    x = layers.GlobalAveragePooling2D(name=POOLED)(x)  # (n, k)
    if config.dropout > 0:
        x = layers.Dropout(config.dropout, name=DROPOUT)(x)
    logits = layers.Dense(classes, name=LOGITS, dtype="float32")(x)
    network = keras.Model(image, logits, name="classifier")
    _regularise(network, config.l1, config.l2)
    if config.weights.endswith(".npz"):
        start_from(network, Path(config.weights))
    return network


def base_layers(network: keras.Model) -> list[layers.Layer]:
    """List all layers below the head, from the image upwards."""
    names = [layer.name for layer in network.layers]
    return list(network.layers[: names.index(FEATURES)])


def _regularise(network: keras.Model, l1: float, l2: float) -> None:
    """Regularise all kernels, also those of keras.applications."""
    if l1 == 0 and l2 == 0:
        return
    for variable in network.trainable_variables:
        if variable.path.endswith("kernel"):
            variable.regularizer = keras.regularizers.L1L2(l1, l2)
