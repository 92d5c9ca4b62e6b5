"""Augmentation: random geometric and intensity changes of training images.

All functions depend only on the image, the seed and the number of the batch, so a resumed run
augments its images exactly like a run without a break. All geometric changes are one resampling.
"""

import math

import tensorflow as tf

from training.recipe.data import Augmentation

_DRAWS, _MORE = 10, 2
_NOISE_SEED, _MORE_SEED, _CHOICE_SEED = 0x5EED, 0xADD, 0xC401CE

MOVEMENTS = ("rotation_degrees", "shift", "zoom", "shear")
INTENSITIES = ("contrast", "brightness", "gamma", "sharpness", "noise")

Shares = dict[str, tf.Tensor]
"""By the name of a change: 1 for the images that get it, 0 for the others; shape (n, 1, 1, 1)."""


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
    more = tf.random.stateless_uniform([count, _MORE], key ^ _MORE_SEED)
    shares = _choose(config, count, key)
    if config.moves:
        height, width = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(grey)[1:3]))
        transforms = _transforms(draws, more, config, shares, height, width)
        fill = "NEAREST" if config.fill == "nearest" else "CONSTANT"
        grey = _resample(grey, transforms, "BILINEAR", fill)
        if inside is not None:
            inside = _resample(inside, transforms, "NEAREST", "CONSTANT")
    if any(getattr(config, name) > 0 for name in INTENSITIES):
        grey = _intensity(grey, draws, more, config, shares, key)
    return grey, inside


def _choose(config: Augmentation, count: tf.Tensor, key: tf.Tensor) -> Shares:
    """Draw the changes that each image gets, from those that are switched on."""
    on = [name for name in (*MOVEMENTS, *INTENSITIES) if getattr(config, name) > 0]
    if config.changes == 0 or not on:
        return dict.fromkeys((*MOVEMENTS, *INTENSITIES), tf.ones((1, 1, 1, 1)))
    scores = tf.random.stateless_uniform([count, len(on)], key ^ _CHOICE_SEED)
    places = tf.argsort(tf.argsort(scores, axis=1), axis=1)
    drawn = tf.cast(places < config.changes, tf.float32)[:, None, None, None]
    shares = dict.fromkeys((*MOVEMENTS, *INTENSITIES), tf.zeros((1, 1, 1, 1)))
    return shares | dict(zip(on, tf.unstack(drawn, axis=-1), strict=True))


def _transforms(
    draws: tf.Tensor,
    more: tf.Tensor,
    config: Augmentation,
    shares: Shares,
    height: tf.Tensor,
    width: tf.Tensor,
) -> tf.Tensor:
    """Compose all movements about the centre, shape (n, 8), from output to input positions."""
    signed = 2.0 * draws - 1.0
    turned, shifted, zoomed, sheared = (shares[name][:, 0, 0, 0] for name in MOVEMENTS)
    angle = signed[:, 0] * (config.rotation_degrees * math.pi / 180.0) * turned
    across = signed[:, 1] * config.shift * width * shifted
    down = signed[:, 2] * config.shift * height * shifted
    size = 1.0 / (1.0 + signed[:, 3] * config.zoom * zoomed)
    mirror = tf.where((draws[:, 4] < 0.5) & config.flip_horizontal, -size, size)  # noqa: PLR2004 - one in two
    upset = tf.where((draws[:, 5] < 0.5) & config.flip_vertical, -size, size)  # noqa: PLR2004 - one in two
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a, b = cosine * mirror, -sine * mirror
    c, d = sine * upset, cosine * upset
    if config.shear > 0:
        slope = (2.0 * more[:, 0] - 1.0) * config.shear * sheared
        b, d = b + a * slope, d + c * slope
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
    grey: tf.Tensor,
    draws: tf.Tensor,
    more: tf.Tensor,
    config: Augmentation,
    shares: Shares,
    key: tf.Tensor,
) -> tf.Tensor:
    """Change contrast, brightness, gamma and sharpness, and add noise."""
    each = draws[:, None, None, None, 6:]
    signed = 2.0 * each - 1.0
    if config.contrast > 0 or config.brightness > 0:
        gain = 1.0 + signed[..., 0] * config.contrast * shares["contrast"]
        lift = signed[..., 1] * config.brightness * shares["brightness"]
        grey = (grey - 0.5) * gain + (0.5 + lift)
    if config.gamma > 0:
        power = tf.exp(signed[..., 2] * math.log(1.0 + config.gamma) * shares["gamma"])
        # five times as fast as tf.pow; black stays black, as exp(-infinity) is 0
        grey = tf.exp(power * tf.math.log(tf.clip_by_value(grey, 0.0, 1.0)))
    if config.sharpness > 0:
        amount = (2.0 * more[:, None, None, None, 1] - 1.0) * config.sharpness * shares["sharpness"]
        grey += (grey - tf.nn.avg_pool2d(grey, 3, 1, "SAME")) * amount
    if config.noise > 0:
        grain = tf.random.stateless_normal(tf.shape(grey), key ^ _NOISE_SEED)
        grey += grain * each[..., 3] * config.noise * shares["noise"]
    return tf.clip_by_value(grey, 0.0, 1.0)
