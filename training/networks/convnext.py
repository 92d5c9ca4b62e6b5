"""ConvNeXt-Tiny: a convolutional network with the habits of vision transformers.

Liu et al., A ConvNet for the 2020s, 2022. It computes what keras.applications computes, with names
that do not depend on how many networks were built before, and depthwise convolutions, which a CPU
computes faster than convolutions in groups.
"""

import math
from pathlib import Path

import keras
import numpy as np
from keras import applications, layers

from pacs_ai.errors import ConfigError
from training.networks.backbone import load_file, start_base
from training.recipe.learning import ConvNeXt

_STAGES = ((3, 96), (3, 192), (9, 384), (3, 768))
"""Blocks and channels of each stage."""

_EPSILON = 1e-6  # of layer normalisation, as the published weights were trained with
_LEAST = 32
_FIRST_SCALE = 1e-6


class Scale(layers.Layer):  # type: ignore[misc]
    """Multiplies each channel by a factor that is learned (Touvron et al., CaiT, 2021)."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Create the factors: 1e-6, so that a block begins as nearly nothing."""
        first = keras.initializers.Constant(_FIRST_SCALE)
        self.gamma = self.add_weight(shape=(shape[-1],), initializer=first, name="gamma")

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Scale a feature map."""
        return x * self.gamma


class Gelu(layers.Layer):  # type: ignore[misc]
    """The Gaussian error linear unit, by the error function.

    Keras computes it by the complementary error function, which the converter to ONNX does not
    know.
    """

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Activate a feature map."""
        return 0.5 * x * (1.0 + keras.ops.erf(x * math.sqrt(0.5)))


def convnext(image: keras.KerasTensor, config: ConvNeXt) -> keras.KerasTensor:
    """Compute the last feature map of an image.

    Parameters
    ----------
    image
        Shape (n, height, width, 3), at least 32 x 32.
    config
        With which weights.

    Returns
    -------
    KerasTensor
        Shape (n, height / 32, width / 32, 768), normalised over the channels of each place.

    Raises
    ------
    ConfigError
        If the image is too small, or the weights are absent, damaged or of another network.
    """
    base = build_convnext(image)
    start_base(base, config, load_keras_file)
    return base.output


def build_convnext(image: keras.KerasTensor) -> keras.Model:
    """Build the network without its top, with random weights.

    Raises
    ------
    ConfigError
        If the image is too small.
    """
    if min(image.shape[1:3]) < _LEAST:
        raise ConfigError(f"convnext-tiny takes images of at least {_LEAST} x {_LEAST} pixels")
    x = image
    for stage, (blocks, width) in enumerate(_STAGES, start=1):
        if stage == 1:
            x = _normalised(layers.Conv2D(width, 4, 4, name="stem_conv")(x), "stem")
        else:
            x = _normalised(x, f"stage{stage}_halving")
            x = layers.Conv2D(width, 2, 2, name=f"stage{stage}_halving_conv")(x)
        for block in range(1, blocks + 1):
            x = _block(x, width, f"stage{stage}_block{block}")
    return keras.Model(image, _normalised(x, "top"), name="convnext_tiny")


def load_keras_file(base: keras.Model, path: Path) -> None:
    """Read a file of weights as keras.applications offers them (without top).

    Raises
    ------
    ConfigError
        If the file is missing, or has weights of another network.
    """
    theirs = applications.ConvNeXtTiny(
        include_top=False, weights=None, input_shape=(_LEAST, _LEAST, base.input_shape[-1])
    )
    load_file(theirs, path)
    for ours, given in zip(base.weights, theirs.weights, strict=True):
        ours.assign(np.reshape(given.numpy(), ours.shape))  # a depthwise kernel has other axes


def _block(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    y = layers.DepthwiseConv2D(7, padding="same", name=f"{name}_depthwise_conv")(x)
    y = _normalised(y, name)
    y = Gelu(name=f"{name}_gelu")(layers.Dense(4 * width, name=f"{name}_expand")(y))
    y = Scale(name=f"{name}_scale")(layers.Dense(width, name=f"{name}_project")(y))
    return layers.Add(name=f"{name}_add")([x, y])


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.LayerNormalization(epsilon=_EPSILON, name=f"{name}_norm")(x)
