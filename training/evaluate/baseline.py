"""Baselines: two simple classifiers that a network has to beat.

*Prevalence* ignores the image: it always predicts the class shares of the training split.
*Brightness* is a logistic regression on three numbers of an image: mean, standard deviation and
99th percentile. A network that is not better has learned nothing beyond brightness.
"""

import numpy as np
import numpy.typing as npt

from pacs_ai.statistics.metrics import Floats, Truths

_TINY = 1e-6
_STEPS = 400
_RATE = 0.5
_RIDGE = 1e-3
_BRIGHTEST = 99.0


def measure_brightness(x: npt.NDArray[np.float32]) -> Floats:
    """Compute the three numbers of each image, shape (n, height, width, channels) to (n, 3)."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    return np.stack([flat.mean(1), flat.std(1), np.percentile(flat, _BRIGHTEST, axis=1)], axis=1)


def prevalence_logits(train: Truths, n: int, activation: str) -> Floats:
    """Return logits, shape (n, classes), that give each class its share of the training split."""
    share = np.clip(train.mean(axis=0), _TINY, 1 - _TINY)
    logits = np.log(share) if activation == "softmax" else np.log(share / (1 - share))
    return np.tile(logits, (n, 1))


class BrightnessModel:
    """Logistic regression on brightness, with weak L2 regularisation, fitted by Adam.

    Parameters
    ----------
    numbers
        Of the training images, shape (n, 3).
    truth
        Shape (n, classes).
    activation
        ``softmax`` or ``sigmoid``.
    """

    def __init__(self, numbers: Floats, truth: Truths, activation: str) -> None:
        self._centre, self._spread = numbers.mean(axis=0), numbers.std(axis=0) + _TINY
        self._weights = np.zeros((numbers.shape[1] + 1, truth.shape[1]))
        x, target = self._design(numbers), truth.astype(np.float64)
        first, second = np.zeros_like(self._weights), np.zeros_like(self._weights)
        for step in range(1, _STEPS + 1):
            probabilities = _activate(x @ self._weights, activation)
            gradient = x.T @ (probabilities - target) / len(x) + _RIDGE * self._weights
            first, second = 0.9 * first + 0.1 * gradient, 0.99 * second + 0.01 * gradient**2
            unbiased = first / (1 - 0.9**step), second / (1 - 0.99**step)
            rate = _RATE * (1 - step / _STEPS)
            self._weights -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + _TINY)

    def logits(self, numbers: Floats) -> Floats:
        """Compute the logits of images, shape (n, 3) to (n, classes)."""
        return np.asarray(self._design(numbers) @ self._weights)

    def _design(self, numbers: Floats) -> Floats:
        scaled = (numbers - self._centre) / self._spread
        return np.concatenate([scaled, np.ones((len(scaled), 1))], axis=1)


def _activate(logits: Floats, activation: str) -> Floats:
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
