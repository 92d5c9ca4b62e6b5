"""Loss functions."""

import keras
from keras import ops

from training.recipe.recipe import Recipe

_TINY = 1e-6


def class_loss(recipe: Recipe) -> keras.losses.Loss:
    """Choose the loss on logits that fits the recipe.

    Returns
    -------
    Loss
        Between multi-hot labels and logits, both (n, classes). With ``softmax`` exactly one class
        is true, with ``sigmoid`` each class is true or false. ``focal_gamma`` above 0 lowers the
        weight of easy cases.

    Notes
    -----
    Focal loss: Lin et al., 2017; label smoothing: Szegedy et al., 2016.
    """
    config = recipe.optimisation
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
