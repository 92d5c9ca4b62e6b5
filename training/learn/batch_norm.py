"""Batch normalisation statistics of the weights that are validated and kept.

Keras keeps a moving average of the statistics over the training batches. It lags behind the weights
and starts at mean 0 and variance 1. With few images an epoch has few steps. Then the statistics of
the first epochs are mostly the start values, validation gets worse while the network gets better,
and early stopping keeps a poor epoch. Averaged weights have another fault: the moving statistics
are those of the weights before averaging. Therefore the statistics are computed again before each
validation (Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021).
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from training.learn.training_task import TrainingTask
from training.networks import FEATURES, base_layers

IMAGES = 1024
"""Images of an estimate; one epoch if that is shorter."""


class BatchNormStatistics(keras.callbacks.Callback):  # type: ignore[misc]
    """Computes the statistics of the current weights before each validation.

    Training itself does not use these statistics. They depend only on the weights and on the first
    batches of the training, without augmentation: images of validation and of the node have none.
    So a resumed training gets the same statistics.

    Parameters
    ----------
    network
        Its trainable batch normalisation layers are updated; frozen ones keep their statistics.
    task
        Has the batches of training without augmentation.
    steps
        Number of batches in an epoch.
    batch
        Images of a batch.
    """

    def __init__(self, network: keras.Model, task: TrainingTask, steps: int, batch: int) -> None:
        super().__init__()
        self._network, self._batches = network, task.plain
        self._steps = min(steps, max(1, IMAGES // batch))
        self._compute = base_in_training(network)

    def on_test_begin(self, _logs: object = None) -> None:
        """Replace the statistics by those of the current weights."""
        if self._batches is not None:
            images = self._images(self._batches())
            estimate_statistics(self._network, images, self._compute)

    def _images(self, batches: Any) -> Iterator[Any]:  # noqa: ANN401 - a tf.data.Dataset
        channels = self._network.input_shape[-1]
        for x, *_ in batches.take(self._steps):
            yield x[..., :channels]  # the box of a finding is one channel more


def base_in_training(network: keras.Model) -> tf.types.experimental.PolymorphicFunction:
    """Return the base of a network as it computes in training, as a graph that is traced once.

    A batch takes three times as long operation by operation. The momenta of the layers are those
    of the first call.
    """
    base = keras.Model(network.input, network.get_layer(FEATURES).output)
    return tf.function(lambda x: base(x, training=True))


def estimate_statistics(
    network: keras.Model,
    images: Iterator[Any],
    compute: tf.types.experimental.PolymorphicFunction,
) -> None:
    """Set the statistics of the trainable batch normalisation layers to those of some images.

    Parameters
    ----------
    network
        The network.
    images
        Batches of the same size, shape (n, height, width, channels).
    compute
        What `base_in_training` made of the network; called by this function alone.
    """
    found = [
        layer
        for layer in base_layers(network)
        if isinstance(layer, layers.BatchNormalization) and layer.trainable
    ]
    if not found:
        return
    momenta, seen = [layer.momentum for layer in found], []
    try:
        for layer in found:
            layer.momentum = 0.0  # after a batch the layer holds the statistics of that batch
        for x in images:
            compute(x)
            seen.append([_statistics(layer) for layer in found])
    finally:
        for layer, momentum in zip(found, momenta, strict=True):
            layer.momentum = momentum
    for layer, batches in zip(found, zip(*seen, strict=True), strict=True):
        means, variances = (np.stack(part) for part in zip(*batches, strict=True))
        layer.moving_mean.assign(means.mean(axis=0))
        layer.moving_variance.assign(variances.mean(axis=0) + means.var(axis=0))


def _statistics(layer: layers.BatchNormalization) -> tuple[np.ndarray, np.ndarray]:
    values = (layer.moving_mean.numpy(), layer.moving_variance.numpy())
    return values[0].astype(np.float64), values[1].astype(np.float64)
