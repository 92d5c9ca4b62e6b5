"""Augmentation: random geometric and intensity changes of training images.

All functions depend only on the image, the seed and the number of the batch, so a resumed run
augments its images exactly like a run without a break. All geometric changes are one resampling.
"""

import math

import tensorflow as tf

from training.recipe.data import Augmentation

_DRAWS = 10
_NOISE_SEED = 0x5EED


def is_geometric(config: Augmentation) -> bool:
    """Tell whether a recipe rotates, shifts, flips or zooms."""
    flips = config.flip_horizontal or config.flip_vertical
    return flips or max(config.rotation_degrees, config.shift, config.zoom) > 0


def changes_intensity(config: Augmentation) -> bool:
    """Tell whether a recipe changes intensities."""
    return max(config.contrast, config.brightness, config.gamma, config.noise) > 0


def augment(
    grey: tf.Tensor, inside: tf.Tensor | None, config: Augmentation, seed: int, batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Augment a batch.

    Parameters
    ----------
    grey
        Images, shape (n, height, width, 1), float32 in [0, 1].
    inside
        Masks of the boxes, 1 inside and 0 outside, same shape: moved with the images. Or None.
    config
        The kinds of changes and their ranges.
    seed, batch
        Random seed and number of the batch; the same two give the same changes.

    Returns
    -------
    tuple
        Images and boxes, of the same shapes and ranges.
    """
    count = tf.shape(grey)[0]
    key = tf.stack([tf.constant(seed, tf.int64), tf.cast(batch, tf.int64)])
    # Every step has its own columns, so that switching one off does not change the others.
    draws = tf.random.stateless_uniform([count, _DRAWS], key)
    if is_geometric(config):
        height, width = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(grey)[1:3]))
        transforms = _transforms(draws, config, height, width)
        fill = "NEAREST" if config.fill == "nearest" else "CONSTANT"
        grey = _resample(grey, transforms, "BILINEAR", fill)
        if inside is not None:
            inside = _resample(inside, transforms, "NEAREST", "CONSTANT")
    if changes_intensity(config):
        grey = _intensity(grey, draws, config, key)
    return grey, inside


def _transforms(
    draws: tf.Tensor, config: Augmentation, height: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Compose all movements about the centre, shape (n, 8), from output to input positions."""
    signed = 2.0 * draws - 1.0
    angle = signed[:, 0] * (config.rotation_degrees * math.pi / 180.0)
    across, down = signed[:, 1] * config.shift * width, signed[:, 2] * config.shift * height
    size = 1.0 / (1.0 + signed[:, 3] * config.zoom)
    mirror = tf.where((draws[:, 4] < 0.5) & config.flip_horizontal, -size, size)  # noqa: PLR2004 - one in two
    upset = tf.where((draws[:, 5] < 0.5) & config.flip_vertical, -size, size)  # noqa: PLR2004 - one in two
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a, b = cosine * mirror, -sine * mirror
    c, d = sine * upset, cosine * upset
    x, y = (width - 1.0) / 2.0, (height - 1.0) / 2.0
    zero = tf.zeros_like(angle)
    rows = [a, b, x - a * (x + across) - b * (y + down)]
    rows += [c, d, y - c * (x + across) - d * (y + down), zero, zero]
    return tf.stack(rows, axis=1)


def _resample(images: tf.Tensor, transforms: tf.Tensor, how: str, fill: str) -> tf.Tensor:
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation=how,
        fill_mode=fill,
    )
    return tf.ensure_shape(moved, images.shape)


def _intensity(
    grey: tf.Tensor, draws: tf.Tensor, config: Augmentation, key: tf.Tensor
) -> tf.Tensor:
    """Change contrast, brightness and gamma, and add noise."""
    each = draws[:, None, None, None, 6:]
    signed = 2.0 * each - 1.0
    if config.contrast > 0 or config.brightness > 0:
        gain = 1.0 + signed[..., 0] * config.contrast
        grey = (grey - 0.5) * gain + (0.5 + signed[..., 1] * config.brightness)
    if config.gamma > 0:
        power = tf.exp(signed[..., 2] * math.log(1.0 + config.gamma))
        grey = tf.pow(tf.clip_by_value(grey, 0.0, 1.0), power)
    if config.noise > 0:
        grain = tf.random.stateless_normal(tf.shape(grey), key ^ _NOISE_SEED)
        grey += grain * each[..., 3] * config.noise
    return tf.clip_by_value(grey, 0.0, 1.0)
