"""Mix two images of a batch, and their labels: MixUp (Zhang et al., 2018), CutMix (Yun, 2019).

The partner of an image is the one before it in its batch, whose order is drawn anew in each epoch.
Everything depends only on the batch, the seed and the number of the batch, so a resumed run mixes
like a run without a break.
"""

import tensorflow as tf

from training.recipe.data import Augmentation

_SEED = 0x311
_MIXUP, _CUTMIX, _PLACE, _KIND = 1, 2, 3, 4
_TINY = 1e-30
UNCERTAIN = -1.0


def mix(
    grey: tf.Tensor,
    y: tf.Tensor,
    weight: tf.Tensor,
    config: Augmentation,
    seed: int,
    batch: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mix each image of a batch with another one.

    Parameters
    ----------
    grey
        Images, shape (n, height, width, 1), float32 in [0, 1].
    y
        Labels, 1, 0, or -1 for uncertain, shape (n, classes).
    weight
        The weight of each image in the loss, shape (n,).
    config
        Has ``mixup`` and ``cutmix``; with both each image gets one of them.
    seed, batch
        Random seed and number of the batch; the same two give the same mixture.

    Returns
    -------
    tuple
        Images, labels in [0, 1] or -1, and weights, of the same shapes. An image keeps at least
        half of itself. A label is -1 where it is -1 in one of the two images.
    """
    key = tf.stack([tf.constant(seed, tf.int64), tf.cast(batch, tf.int64)]) ^ _SEED
    keep = _draw_kept(grey, config, key)
    mixed = keep * grey + (1.0 - keep) * tf.roll(grey, 1, axis=0)
    # of a rectangle the share is its area, of a blend the proportion of each pixel
    share = tf.reduce_mean(keep, axis=(1, 2))
    partner = tf.roll(y, 1, axis=0)
    known = (y >= 0) & (partner >= 0)
    labels = tf.where(known, share * y + (1.0 - share) * partner, UNCERTAIN)
    weights = share[:, 0] * weight + (1.0 - share[:, 0]) * tf.roll(weight, 1, axis=0)
    return tf.ensure_shape(mixed, grey.shape), labels, weights


def _draw_kept(grey: tf.Tensor, config: Augmentation, key: tf.Tensor) -> tf.Tensor:
    """Draw how much each pixel keeps of its image, (n, height, width, 1) or (n, 1, 1, 1)."""
    count = tf.shape(grey)[0]
    blend = rectangle = None
    if config.mixup > 0:
        blend = _beta(count, config.mixup, key ^ _MIXUP)[:, None, None, None]
    if config.cutmix > 0:
        rectangle = _outside(grey, _beta(count, config.cutmix, key ^ _CUTMIX), key ^ _PLACE)
    if blend is None or rectangle is None:
        return rectangle if blend is None else blend
    chosen = tf.random.stateless_uniform([count, 1, 1, 1], key ^ _KIND) < 0.5  # noqa: PLR2004 - one in two
    return tf.where(chosen, blend, rectangle)


def _beta(count: tf.Tensor, alpha: float, key: tf.Tensor) -> tf.Tensor:
    """Draw from Beta(alpha, alpha), the larger of the two shares: shape (n,), in [0.5, 1]."""
    one, other = tf.unstack(tf.random.stateless_gamma([2, count], key, alpha))
    share = (one + _TINY) / (one + other + 2 * _TINY)
    return tf.maximum(share, 1.0 - share)


def _outside(grey: tf.Tensor, share: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Mark the pixels outside of a rectangle with 1, and those inside with 0.

    The rectangle has the aspect of the image and covers 1 - ``share`` of it, less where it reaches
    over the edge.
    """
    count, height, width = (tf.shape(grey)[axis] for axis in range(3))
    centre = tf.random.stateless_uniform([count, 2], key)
    half = tf.sqrt(1.0 - share) / 2.0

    def between(middle: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        place = (tf.cast(tf.range(size), tf.float32) + 0.5) / tf.cast(size, tf.float32)
        return tf.abs(place - middle[:, None]) < half[:, None]

    rows, columns = between(centre[:, 0], height), between(centre[:, 1], width)
    return tf.cast(~(rows[:, :, None] & columns[:, None, :]), tf.float32)[..., None]
