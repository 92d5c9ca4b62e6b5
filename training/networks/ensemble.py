"""Several networks, or several views of an image, as one network with the usual head.

The logits are the mean of the calibrated logits of the members. So the probabilities are the
geometric mean of those of the members, scaled to sum 1 (softmax), and the heat map of a class in
closed form is the mean of the maps of the members
(docs/adr/0003-onnx-serving-and-closed-form-grad-cam.md). The arithmetic mean of the probabilities
has no such map: its logits are no linear function of the pooled features.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from training.networks.head import split_head

View = tuple[int, ...]
"""The axes along which an image (n, height, width, channels) is mirrored; () for none."""

_HEIGHT, _WIDTH = 1, 2


class Mirror(layers.Layer):  # type: ignore[misc]
    """Mirrors images or feature maps.

    Parameters
    ----------
    axes
        The axes along which (n, height, width, channels) is mirrored.
    """

    def __init__(self, axes: View, **other: object) -> None:
        super().__init__(**other)
        self.axes = tuple(axes)

    def call(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Mirror a batch."""
        return keras.ops.flip(images, self.axes)

    def get_config(self) -> dict[str, object]:
        """Return the parameters of the layer."""
        return {**super().get_config(), "axes": self.axes}


def views(*, horizontal: bool, vertical: bool) -> tuple[View, ...]:
    """List the views of an image: as it is, and mirrored in each permitted way."""
    across: tuple[View, ...] = ((), (_WIDTH,)) if horizontal else ((),)
    down: tuple[View, ...] = ((), (_HEIGHT,)) if vertical else ((),)
    return tuple((*y, *x) for y in down for x in across)


def ensemble(
    networks: Sequence[keras.Model], temperatures: Sequence[float], seen: Sequence[View] = ((),)
) -> keras.Model:
    """Combine networks, each with some views of the image, to one network.

    Parameters
    ----------
    networks
        Networks of the same input and the same classes, with a head that `split_head` accepts and
        last feature maps of the same size.
    temperatures
        The temperature of each network: its logits are divided by it.
    seen
        The views; each network sees all of them.

    Returns
    -------
    keras.Model
        From images to logits (n, classes), with the head of all networks: its last feature map has
        the channels of all members, mirrored back, and its weights are those of the members,
        divided by their number and temperature.

    Raises
    ------
    ExportMismatch
        If the head of a network is another one.
    """
    image = keras.Input(networks[0].input_shape[1:], name="image")
    maps, kernels, biases = [], [], []
    for number, (network, temperature) in enumerate(zip(networks, temperatures, strict=True)):
        features, dense = split_head(network)
        base = keras.Model(network.input, features, name=f"member{number}")
        scale = 1.0 / (temperature * len(networks) * len(seen))
        for view in seen:
            maps.append(Mirror(view)(base(Mirror(view)(image))) if view else base(image))
            kernels.append(np.asarray(dense.kernel) * scale)
            biases.append(np.asarray(dense.bias) * scale)
    joined = layers.Concatenate(name="features")(maps) if len(maps) > 1 else maps[0]
    pooled = layers.GlobalAveragePooling2D(name="pooled")(joined)
    head = layers.Dense(kernels[0].shape[1], name="logits", dtype="float32")
    model = keras.Model(image, head(pooled), name="ensemble")
    head.set_weights([np.concatenate(kernels), np.sum(biases, axis=0)])
    return model
