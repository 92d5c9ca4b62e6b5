"""Event files for TensorBoard, written by TensorFlow alone."""

from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from training.learn.optimizer import learning_rates


class TensorBoardScalars(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the metrics of each epoch as scalars, for ``tensorboard --logdir``.

    TensorFlow writes the format itself; only the viewer is another package.

    Parameters
    ----------
    folder
        Where the event files go; a resumed run adds another file.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the metrics of an epoch."""
        figures = dict(logs or {}) | learning_rates(self.model.optimizer)
        with tf.summary.create_file_writer(str(self._folder)).as_default():
            for name, value in figures.items():
                tf.summary.write(name, tf.constant(value, tf.float32), epoch + 1, _scalar())


def _scalar() -> tf.compat.v1.SummaryMetadata:
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    return tf.compat.v1.SummaryMetadata(plugin_data=plugin)
