"""Feature maps, and images that maximise the activation of a class."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from pacs_ai.errors import ConfigError
from pacs_ai.model.preprocess import affine
from pacs_ai.model.spec import InputSpec
from training.report.pictures import Picture, as_rgb, colour, enlarge, mosaic

Floats = npt.NDArray[np.float32]

_SHOWN = 4
_SIDE = 96
_RATE = 0.05
_JITTER = 4
_SMOOTH = 0.05
_SEED = 23
_MAPS = 4  # dimensions of a feature map: n, h, w, k


def choose_layers(network: keras.Model, wanted: Sequence[str]) -> list[str]:
    """Choose the layers whose feature maps are drawn: the given ones, or a few over the depth.

    Raises
    ------
    ConfigError
        If a layer does not exist or gives no feature map.
    """
    mapped = [
        layer.name
        for layer in network.layers
        if len(layer.output.shape) == _MAPS and not isinstance(layer, keras.layers.InputLayer)
    ]
    for name in wanted:
        if name not in mapped:
            raise ConfigError(
                f"explanation.layers names {name!r}, which gives no feature map; there are: "
                f"{', '.join(mapped)}"
            )
    if wanted:
        return list(wanted)
    places = np.unique(np.linspace(0, len(mapped) - 1, min(_SHOWN, len(mapped))).astype(int))
    return [mapped[place] for place in places]


def feature_maps(network: keras.Model, x: Floats, layer: str, channels: int) -> Picture:
    """Draw the most active channels of a layer for one image, sorted by activity.

    Parameters
    ----------
    network
        The trained network.
    x
        Shape (1, height, width, channels).
    layer
        The name of the layer.
    channels
        The largest number of channels.
    """
    up_to_layer = keras.Model(network.input, network.get_layer(layer).output)
    maps = np.asarray(up_to_layer(x, training=False), dtype=np.float32)[0]
    order = np.argsort(-np.abs(maps).mean(axis=(0, 1)), kind="stable")[:channels]
    peak = float(np.abs(maps[..., order]).max()) or 1.0
    drawn = [
        enlarge(colour(np.clip(maps[..., k] / peak, 0.0, 1.0), "viridis"), _SIDE) for k in order
    ]
    return mosaic(drawn, columns=min(8, len(drawn)))


def maximise_activations(
    network: keras.Model, classes: Iterable[int], spec: InputSpec, steps: int
) -> Iterator[Picture]:
    """Find an image for each class that maximises its logit, by gradient ascent from grey.

    Each step shifts the image by a few random pixels, and a total variation term keeps it smooth:
    without both the result would be noise.

    Notes
    -----
    Erhan et al., Visualizing higher-layer features of a deep network, 2009; jitter and smoothness
    as in Olah et al., Feature visualization, 2017.
    """
    gradient = _gradient(network, spec)  # compiled once for all classes
    for k in classes:
        rng = np.random.default_rng([_SEED, k])
        start = rng.normal(0.0, 0.05, (1, spec.height, spec.width, 1)).astype(np.float32)
        image = tf.Variable(start)
        optimiser = keras.optimizers.Adam(_RATE)
        for _ in range(steps):
            shift = rng.integers(-_JITTER, _JITTER + 1, 2)
            given = (image.value(), tf.constant(k), tf.constant(shift, tf.int32))
            optimiser.apply_gradients([(gradient(*given), image)])
        yield enlarge(as_rgb(tf.sigmoid(image).numpy()[0, ..., 0]), 2 * _SIDE)


def _gradient(network: keras.Model, spec: InputSpec) -> Callable[..., tf.Tensor]:
    """Compile the gradient for an image: of the loss that is low where a class has a high logit."""
    factor, offset = (tf.constant(part) for part in affine(spec))

    def gradient(image: tf.Tensor, k: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(image)
            grey = tf.sigmoid(image)
            rolled = tf.roll(grey, shift, axis=(1, 2))
            logits = network(rolled * factor - offset, training=False)[0]
            rest = (tf.reduce_sum(logits) - logits[k]) / max(1, logits.shape[0] - 1)
            variation = tf.reduce_mean(tf.image.total_variation(grey)) / (spec.height * spec.width)
            loss = rest - logits[k] + _SMOOTH * variation * tf.abs(logits[k])
        return tape.gradient(loss, image)

    compiled: Callable[..., tf.Tensor] = tf.function(gradient)
    return compiled
