"""Vary images at random, so that the network learns what matters and not what happens to be so."""

import keras
from keras import layers

from .config_data import Augmentation

_BLACK = -1.0


def build_augmentation(config: Augmentation, seed: int) -> keras.Sequential:
    """Build the random steps that a recipe switches on.

    Parameters
    ----------
    config
        Which, and how strong.
    seed
        Source of chance; each step gets its own.

    Returns
    -------
    keras.Sequential
        From images (n, height, width, channels) in [-1, 1] to images of the same shape and range.
        The first channel is the picture; others are turned and moved with it, but their values
        are left alone. Does nothing outside of training.
    """
    steps: list[layers.Layer] = []
    flips = {(True, False): "horizontal", (False, True): "vertical"}
    if config.flip_horizontal or config.flip_vertical:
        mode = flips.get((config.flip_horizontal, config.flip_vertical), "horizontal_and_vertical")
        steps.append(layers.RandomFlip(mode, seed=seed))
    outside = {"fill_mode": "constant", "fill_value": _BLACK}
    if config.rotation_degrees > 0:
        turn = config.rotation_degrees / 360
        steps.append(layers.RandomRotation(turn, seed=seed + 1, **outside))
    if config.shift > 0:
        steps.append(layers.RandomTranslation(config.shift, config.shift, seed=seed + 2, **outside))
    if config.zoom > 0:
        steps.append(layers.RandomZoom(config.zoom, seed=seed + 3, **outside))
    if config.contrast > 0 or config.brightness > 0 or config.noise > 0:
        steps.append(Intensity(config.contrast, config.brightness, config.noise, seed=seed + 4))
    return keras.Sequential(steps or [layers.Identity()], name="augmentation")


class Intensity(layers.Layer):  # type: ignore[misc]
    """Change contrast and brightness of each image and add noise to it.

    Parameters
    ----------
    contrast, brightness
        Largest change, relative and absolute (the range of values is 2).
    noise
        Largest standard deviation.
    seed
        Source of chance.
    """

    def __init__(self, contrast: float, brightness: float, noise: float, *, seed: int) -> None:
        super().__init__()
        self.contrast, self.brightness, self.noise = contrast, brightness, noise
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, x: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:  # noqa: FBT001, FBT002 - Keras' own signature
        """Vary the first channel of a batch, shape (n, height, width, channels)."""
        if not training:
            return x
        x, others = x[..., :1], x[..., 1:]
        each = (keras.ops.shape(x)[0], 1, 1, 1)
        gain = keras.random.uniform(each, 1 - self.contrast, 1 + self.contrast, seed=self.seeds)
        offset = keras.random.uniform(each, -self.brightness, self.brightness, seed=self.seeds)
        grain = keras.random.uniform(each, 0.0, self.noise, seed=self.seeds)
        noise = keras.random.normal(keras.ops.shape(x), seed=self.seeds)
        varied = keras.ops.clip(x * gain + offset + grain * noise, -1.0, 1.0)
        return keras.ops.concatenate([varied, others], axis=-1)
