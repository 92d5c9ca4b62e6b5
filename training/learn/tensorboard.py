"""TensorBoard's logs, written without TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from training.learn.schedules import rate_of


class Boards(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes every figure of every epoch as a scalar, for ``tensorboard --logdir``.

    The format belongs to TensorFlow, only its reader is a package of its own.

    Parameters
    ----------
    folder
        Where the event files go; a run that goes on writes another one beside the first.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the figures of an epoch."""
        figures = dict(logs or {})
        figures["learning_rate"] = rate_of(self.model.optimizer)
        with tf.summary.create_file_writer(str(self._folder)).as_default():
            for name, value in figures.items():
                tf.summary.write(name, tf.constant(value, tf.float32), epoch + 1, _scalar())


def _scalar() -> tf.compat.v1.SummaryMetadata:
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    return tf.compat.v1.SummaryMetadata(plugin_data=plugin)
