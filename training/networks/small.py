"""A small residual network whose feature grid is centred on the image.

He et al., Deep residual learning, 2016; anti-aliased halving after He et al., Bag of tricks, 2019.
"""

import keras
from keras import layers

from training.recipe.learning import SmallResNet


def small_resnet(image: keras.KerasTensor, config: SmallResNet) -> keras.KerasTensor:
    """Compute the last feature map of an image.

    Every halving is symmetric (a 4 x 4 kernel with stride 2, then 2 x 2 means). The usual 3 x 3
    kernel with stride 2 pads on one side only and shifts the grid of features by half a pixel,
    doubled at each halving: by 3.5 pixels after three, which a heat map would show as a bias
    towards the upper left.

    Parameters
    ----------
    image
        Shape (n, height, width, channels).
    config
        Widths and depths.

    Returns
    -------
    KerasTensor
        Shape (n, height / 2 ** (1 + halvings), width / ..., stages[-1]), after ReLU.
    """
    x = _convolution(image, config.stem, kernel=4, stride=2)  # (n, H/2, W/2, stem)
    for stage, width in enumerate(config.stages, start=1):
        if stage <= config.halvings:
            x = layers.AveragePooling2D(2)(x)
        for block in range(1, config.blocks + 1):
            x = _residual(x, width, name=f"stage{stage}_block{block}")
    return x


def _convolution(
    x: keras.KerasTensor,
    width: int,
    *,
    name: str = "stem",
    kernel: int = 3,
    stride: int = 1,
    active: bool = True,
) -> keras.KerasTensor:
    convolution = layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_conv"
    )
    x = layers.BatchNormalization(momentum=0.95, name=f"{name}_bn")(convolution(x))
    return layers.ReLU(name=f"{name}_relu")(x) if active else x


def _residual(x: keras.KerasTensor, width: int, *, name: str) -> keras.KerasTensor:
    y = _convolution(x, width, name=f"{name}_1")
    y = _convolution(y, width, name=f"{name}_2", active=False)
    if x.shape[-1] != width:
        x = _convolution(x, width, name=f"{name}_0", kernel=1, active=False)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([x, y]))
