"""A small residual network whose heat maps lie where the image is.

He et al., Deep residual learning, 2016; anti-aliased halving after He et al., Bag of tricks, 2019.
"""

from pathlib import Path

import keras
import numpy as np
from keras import layers

from pacs_ai.errors import BundleInvalid
from pacs_ai.model.spec import InputSpec

from .config_learn import SmallResNet

FEATURES = "features"


def build_network(spec: InputSpec, network: SmallResNet, classes: int) -> keras.Model:
    """Build the network with random weights.

    Every halving is symmetric (a 4 x 4 kernel with stride 2, then 2 x 2 means). The usual 3 x 3
    kernel with stride 2 pads on one side only and shifts the grid of features by half a pixel,
    doubled at each halving: by 3.5 pixels after three, which a heat map would show as a bias
    towards the upper left.

    Parameters
    ----------
    spec
        Size of the input, one channel.
    network
        Widths and depths.
    classes
        Number of outputs.

    Returns
    -------
    keras.Model
        From images (n, height, width, 1) to logits (n, classes); layer ``features`` holds the
        last feature map, after ReLU.
    """
    image = x = keras.Input((spec.height, spec.width, 1), name="image")
    x = _convolution(x, network.stem, kernel=4, stride=2)  # (n, H/2, W/2, stem)
    for stage, width in enumerate(network.stages):
        if stage < network.halvings:
            x = layers.AveragePooling2D(2)(x)
        for block in range(network.blocks):
            last = stage == len(network.stages) - 1 and block == network.blocks - 1
            x = _residual(x, width, name=FEATURES if last else None)
    x = layers.GlobalAveragePooling2D()(x)  # (n, stages[-1])
    if network.dropout > 0:
        x = layers.Dropout(network.dropout)(x)
    return keras.Model(image, layers.Dense(classes, name="logits")(x), name="classifier")


def _convolution(
    x: keras.KerasTensor, width: int, *, kernel: int = 3, stride: int = 1, active: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if active else x


def _residual(x: keras.KerasTensor, width: int, name: str | None) -> keras.KerasTensor:
    y = _convolution(x, width)
    y = _convolution(y, width, active=False)
    if x.shape[-1] != width:
        x = _convolution(x, width, kernel=1, active=False)
    return layers.ReLU(name=name)(layers.Add()([x, y]))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write all variables, in the order of the model, as plain arrays."""
    np.savez(path, *model.get_weights(), allow_pickle=False)


def load_weights(model: keras.Model, path: Path) -> None:
    """Read variables into a model of the same recipe.

    Raises
    ------
    BundleInvalid
        If the file is none, or of another network.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            model.set_weights([arrays[f"arr_{index}"] for index in range(len(arrays.files))])
    except (OSError, ValueError, KeyError) as error:
        raise BundleInvalid(f"{path} does not hold the weights of this network") from error
