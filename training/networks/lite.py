"""EfficientNet-Lite: the networks of EfficientNet for phones and CPUs.

Tan and Le, EfficientNet, 2019. The Lite form has ReLU6 instead of swish, no squeeze and excitation,
and a stem and a last convolution of the same width in all sizes, so that eight bits are enough.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import keras
from keras import layers

from training.networks.start import load_start
from training.recipe.learning import EfficientNetLite

STEM, TOP = 32, 1280
"""Channels of the first and of the last convolution."""

_EPSILON = 1e-3  # of batch normalisation, as the published weights were trained with
_LARGEST = 6.0  # of ReLU6
_DIVISOR = 8

_COEFFICIENTS = {
    "efficientnet-lite0": (1.0, 1.0),
    "efficientnet-lite1": (1.0, 1.1),
    "efficientnet-lite2": (1.1, 1.2),
}
"""Factors of width and of depth."""

_STAGES = (
    # kernel, stride, expansion, channels, repetitions
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block: its name, its depthwise kernel and its channels."""

    name: str
    kernel: Literal[3, 5]
    stride: Literal[1, 2]
    expansion: int
    width: int


def blocks(architecture: str) -> Iterator[Block]:
    """Give the blocks of a network from the image upwards: ``block1a``, ``block2a``, ``block2b``.

    Parameters
    ----------
    architecture
        ``efficientnet-lite0``, ``-lite1`` or ``-lite2``.
    """
    width, depth = _COEFFICIENTS[architecture]
    for stage, (kernel, stride, expansion, channels, repeats) in enumerate(_STAGES, start=1):
        fixed = stage in (1, len(_STAGES))
        for number in range(repeats if fixed else math.ceil(depth * repeats)):
            name = f"block{stage}{chr(ord('a') + number)}"
            own_stride = stride if number == 0 else 1
            yield Block(name, kernel, own_stride, expansion, _rounded(channels * width))  # type: ignore[arg-type]


def lite(image: keras.KerasTensor, config: EfficientNetLite) -> keras.KerasTensor:
    """Compute the last feature map of an image.

    Padding is ``same`` of TensorFlow: a stride of 2 on an even side pads at the right and at the
    bottom only, as the weights were trained.

    Parameters
    ----------
    image
        Shape (n, height, width, 3), from -127 / 128 to 1.
    config
        Which size of the network, with which weights.

    Returns
    -------
    KerasTensor
        Shape (n, height / 32, width / 32, 1280), from 0 to 6.

    Raises
    ------
    ConfigError
        If the weights are absent, damaged or of another network.
    """
    x = _normalised(layers.Conv2D(STEM, 3, 2, "same", use_bias=False, name="stem_conv")(image))
    x = _active(x, "stem")
    for block in blocks(config.architecture):
        x = _inverted_residual(x, block)
    x = _normalised(layers.Conv2D(TOP, 1, use_bias=False, name="top_conv")(x))
    x = _active(x, "top")
    if config.weights == "imagenet":
        load_start(keras.Model(image, x), config.architecture)
    return x


def _inverted_residual(x: keras.KerasTensor, block: Block) -> keras.KerasTensor:
    name, wide = block.name, x.shape[-1] * block.expansion
    y = x
    if block.expansion > 1:
        y = layers.Conv2D(wide, 1, use_bias=False, name=f"{name}_expand_conv")(y)
        y = _active(_normalised(y), f"{name}_expand")
    y = layers.DepthwiseConv2D(
        block.kernel, block.stride, "same", use_bias=False, name=f"{name}_depthwise_conv"
    )(y)
    y = _active(_normalised(y), f"{name}_depthwise")
    y = _normalised(layers.Conv2D(block.width, 1, use_bias=False, name=f"{name}_project_conv")(y))
    same = block.stride == 1 and x.shape[-1] == block.width
    return layers.Add(name=f"{name}_add")([y, x]) if same else y


def _normalised(x: keras.KerasTensor) -> keras.KerasTensor:
    """Normalise the output of a convolution; ``stem_conv`` is followed by ``stem_bn``."""
    name = x._keras_history.operation.name.removesuffix("_conv")
    return layers.BatchNormalization(epsilon=_EPSILON, name=f"{name}_bn")(x)


def _active(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(max_value=_LARGEST, name=f"{name}_relu")(x)


def _rounded(channels: float) -> int:
    """Round to a multiple of eight, at most a tenth down."""
    near = max(_DIVISOR, int(channels + _DIVISOR / 2) // _DIVISOR * _DIVISOR)
    return near + _DIVISOR if near < 0.9 * channels else near
