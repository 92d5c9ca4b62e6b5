"""Train on one device, or on all devices of a machine."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import keras

from pacs_ai.errors import ConfigError

Devices = Literal["one", "mirrored"]


@contextlib.contextmanager
def devices(chosen: Devices) -> Iterator[None]:
    """Build and train on one device, or on all devices of this machine.

    Raises
    ------
    ConfigError
        If the backend is not TensorFlow: no other backend has this strategy.
    """
    if chosen == "one":
        yield
        return
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f'optimisation.devices = "{chosen}" needs the backend TensorFlow')
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    with tf.distribute.MirroredStrategy().scope():
        yield
