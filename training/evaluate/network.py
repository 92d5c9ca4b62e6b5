"""One interface for a trained network and a bundle: logits and last features."""

from pathlib import Path
from typing import Protocol

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.runtime import Runtime
from training.networks.head import split_head

Images = npt.NDArray[np.float32]

_THREADS = 2


class Classifier(Protocol):
    """A network that can be evaluated.

    ``class_weights`` are the weights of the last layer, shape (classes, k), for heat maps.
    """

    class_weights: Images

    def predict(self, x: Images) -> tuple[Images, Images]:
        """Compute logits (n, classes) and last features (n, h, w, k) of (n, height, width, c)."""


class TrainedNetwork:
    """A trained Keras network.

    Parameters
    ----------
    model
        From images to logits.

    Raises
    ------
    ExportMismatch
        If the node cannot serve its head; see `split_head`.
    """

    def __init__(self, model: keras.Model) -> None:
        features, dense = split_head(model)
        self._twin = keras.Model(model.input, [model.output, features])
        self.class_weights = np.asarray(dense.kernel.numpy().T, dtype=np.float32)

    def predict(self, x: Images) -> tuple[Images, Images]:
        """Compute logits and last features."""
        logits, features = self._twin.predict_on_batch(x)
        return np.asarray(logits, dtype=np.float32), np.asarray(features, dtype=np.float32)


class ServedNetwork:
    """A bundle, run as the node runs it: one image at a time.

    Parameters
    ----------
    folder
        The folder of the bundle.
    """

    def __init__(self, folder: Path) -> None:
        bundle = load_bundle(folder)
        self._runtime = Runtime(bundle, _THREADS)
        self.class_weights = bundle.class_weights

    def predict(self, x: Images) -> tuple[Images, Images]:
        """Compute logits and last features."""
        pairs = [self._runtime.predict(x[i : i + 1]) for i in range(len(x))]
        logits, features = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return logits, features
