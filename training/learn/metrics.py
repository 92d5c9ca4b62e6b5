"""The metrics of an epoch: accuracy, and the AUC if the recipe chooses the best epoch by it."""

from collections.abc import Sequence

import keras
from keras import ops

from training.recipe.recipe import Recipe

_BINS, _LARGEST = 4096, 20.0
"""Log-odds from -20 to 20 in steps of 0.01; two images of one step count as equal."""

_HALF = 0.5
"""A mixed image counts as what it mostly is."""


class AreaUnderCurve(keras.metrics.Metric):  # type: ignore[misc]
    """The area under the ROC curve, averaged over the classes that have images of both kinds.

    Parameters
    ----------
    classes
        Number of classes.
    activation
        ``softmax`` or ``sigmoid``: what turns logits into probabilities.

    Notes
    -----
    Images are ranked by the log-odds of a class, which order them as its probability does, and keep
    them apart where probabilities are rounded to 0 or 1. Without any class with images of both
    kinds the value is 0.5.
    """

    def __init__(self, classes: int, activation: str) -> None:
        super().__init__(name="auc", dtype="float32")
        self._classes, self._activation = classes, activation
        self.counts = self.add_variable((2 * classes * _BINS,), "zeros", name="counts")

    def update_state(
        self,
        y_true: keras.KerasTensor,
        y_pred: keras.KerasTensor,
        sample_weight: object = None,  # noqa: ARG002 - Keras names it; metrics are not weighted
    ) -> None:
        """Count a batch: labels (0 to 1, or -1 if uncertain) and logits, both (n, classes)."""
        truth, logits = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        if self._activation == "softmax":
            logits = logits - _log_sum_of_others(logits)
        share = ops.clip((logits + _LARGEST) / (2 * _LARGEST), 0.0, 1.0)
        place = ops.cast(ops.round(share * (_BINS - 1)), "int32")
        kind = ops.cast(truth > _HALF, "int32") * self._classes + ops.arange(self._classes)
        where = ops.reshape(kind * _BINS + place, (-1,))
        known = ops.cast(ops.reshape(truth >= 0, (-1,)), "float32")
        seen = ops.segment_sum(known, where, self.counts.shape[0])
        self.counts.assign_add(seen)

    def result(self) -> keras.KerasTensor:
        """Return the area, a scalar in [0, 1]."""
        counts = ops.reshape(self.counts, (2, self._classes, _BINS))
        negative, positive = counts[0], counts[1]
        below = ops.cumsum(negative, axis=-1) - negative / 2
        pairs = ops.sum(negative, axis=-1) * ops.sum(positive, axis=-1)
        area = ops.sum(below * positive, axis=-1) / ops.maximum(pairs, 1.0)
        there = ops.cast(pairs > 0, "float32")
        known = ops.sum(there)
        mean = ops.sum(area * there) / ops.maximum(known, 1.0)
        return ops.where(known > 0, mean, 0.5)


def _log_sum_of_others(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Return log sum exp of the logits of all other classes, shape (n, classes)."""
    classes = logits.shape[-1]
    own = ops.eye(classes, dtype="bool")[None]
    others = ops.where(own, -1e9, logits[:, None, :])
    return ops.logsumexp(others, axis=-1)


def accuracy(recipe: Recipe) -> keras.metrics.Metric:
    """Choose the accuracy on logits that fits the recipe, named ``accuracy``."""
    if recipe.release.activation == "softmax":
        return keras.metrics.CategoricalAccuracy(name="accuracy")
    if recipe.masks_labels or recipe.augmentation.mixes:
        return keras.metrics.MeanMetricWrapper(_accuracy_of_known, name="accuracy")
    return keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)


def _accuracy_of_known(y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
    """Return the share of right decisions of each image, of labels that are not -1, shape (n,)."""
    known = ops.cast(y_true >= 0, "float32")
    right = ops.cast(ops.equal(y_true > _HALF, y_pred > 0), "float32") * known
    share = ops.sum(right, axis=-1) / ops.maximum(ops.sum(known, axis=-1), 1.0)
    return ops.where(ops.sum(known, axis=-1) > 0, share, 1.0)


def metrics_of(recipe: Recipe) -> Sequence[keras.metrics.Metric]:
    """List the metrics of an epoch: ``accuracy``, and ``auc`` if that is monitored."""
    if recipe.optimisation.monitor != "auc":
        return [accuracy(recipe)]
    return [accuracy(recipe), AreaUnderCurve(len(recipe.classes), recipe.release.activation)]
