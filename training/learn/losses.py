"""Loss functions."""

import keras
from keras import ops

from training.recipe.recipe import Recipe

CROSS_ENTROPY = "cross_entropy"
_TINY = 1e-6


def class_loss(recipe: Recipe) -> keras.losses.Loss:
    """Choose the loss on logits that fits the recipe.

    Returns
    -------
    Loss
        Between multi-hot labels and logits, both (n, classes). With ``softmax`` exactly one class
        is true, with ``sigmoid`` each class is true or false, or uncertain (-1) if
        the recipe masks labels. Labels of mixed images are shares between 0 and 1.
        ``focal_gamma`` above 0 lowers the weight of easy cases.

    Notes
    -----
    Focal loss: Lin et al., 2017; label smoothing: Szegedy et al., 2016.
    """
    config = recipe.optimisation
    if recipe.masks_labels:
        return MaskedCrossentropy(config.label_smoothing, config.focal_gamma)
    shared = {"from_logits": True, "label_smoothing": config.label_smoothing}
    if recipe.release.activation == "softmax":
        if config.focal_gamma > 0:
            return keras.losses.CategoricalFocalCrossentropy(
                alpha=1.0, gamma=config.focal_gamma, **shared
            )
        return keras.losses.CategoricalCrossentropy(**shared)
    if config.focal_gamma > 0:
        return keras.losses.BinaryFocalCrossentropy(gamma=config.focal_gamma, **shared)
    return keras.losses.BinaryCrossentropy(**shared)


class MaskedCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Binary cross-entropy on logits that leaves out labels of -1.

    An image costs the mean over its known classes, 0 without any. Without a label of -1 it is the
    loss of Keras with the same settings.
    """

    def __init__(self, label_smoothing: float, focal_gamma: float) -> None:
        super().__init__(name="masked_crossentropy")
        self._smoothing, self._gamma = label_smoothing, focal_gamma

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return the cost of each image, shape (n,)."""
        logits = ops.cast(y_pred, "float32")
        known = ops.cast(y_true >= 0, "float32")
        truth = ops.maximum(ops.cast(y_true, "float32"), 0.0)
        truth = truth * (1.0 - self._smoothing) + 0.5 * self._smoothing
        each = ops.binary_crossentropy(truth, logits, from_logits=True)
        if self._gamma > 0:
            chance = ops.sigmoid(logits)
            right = truth * chance + (1.0 - truth) * (1.0 - chance)
            each = each * (1.0 - right) ** self._gamma
        count = ops.maximum(ops.sum(known, axis=-1), 1.0)
        return ops.sum(each * known, axis=-1) / count


def cross_entropy(recipe: Recipe) -> keras.metrics.Metric:
    """Return the plain cross-entropy on logits that fits the recipe, named ``cross_entropy``.

    Unlike the loss it has no label smoothing, no focal weights and no regularisation, so it is the
    same quantity for two networks that were trained in different ways. Labels of -1 are left out.
    """
    if recipe.release.activation == "softmax":
        return keras.metrics.CategoricalCrossentropy(name=CROSS_ENTROPY, from_logits=True)
    masked = MaskedCrossentropy(label_smoothing=0.0, focal_gamma=0.0)
    return keras.metrics.MeanMetricWrapper(masked.call, name=CROSS_ENTROPY)


def box_loss(boxed: keras.KerasTensor, found: keras.KerasTensor) -> keras.KerasTensor:
    """Loss for heat outside the box, shape (n,): 0 for an image without a box.

    Parameters
    ----------
    boxed
        1 where an image has a box, 0 where not, shape (n, 1).
    found
        Share of the heat inside the box, shape (n, 1), in [0, 1].
    """
    return ops.sum(-boxed * ops.log(found + _TINY), axis=-1)


def heat_inside(heat: keras.KerasTensor, inside: keras.KerasTensor) -> keras.KerasTensor:
    """Measure the share of a heat map that lies in a box.

    The heat map of the positive class is the one that the node shows: the last features, weighted
    by the weights of that class. A softmax over the grid turns it into a distribution, and training
    can move its mass into the box, so that the network is right for the right reason (Ross et al.,
    2017, with a softmax over positions instead of input gradients).

    Parameters
    ----------
    heat
        Shape (n, h, w).
    inside
        The box on the image, 1 within and 0 without, shape (n, height, width, 1).

    Returns
    -------
    KerasTensor
        Shape (n, 1), in [0, 1].
    """
    rows, columns = heat.shape[1], heat.shape[2]
    mass = ops.softmax(ops.reshape(heat, (-1, rows * columns)))
    tile = (inside.shape[1] // rows, inside.shape[2] // columns)
    box = ops.average_pool(inside, tile, strides=tile)  # how much of a cell is covered
    covered = box / (ops.max(box, axis=(1, 2, 3), keepdims=True) + _TINY)
    flat = ops.reshape(covered, (-1, rows * columns))
    return ops.sum(mass * flat, axis=-1, keepdims=True)
