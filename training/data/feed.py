"""The input pipeline: batches of images as a `tf.data.Dataset`, for any Keras backend."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pacs_ai.model.preprocess import affine
from training.data.augment import augment
from training.data.mix import mix
from training.data.read import Floats, multi_hot
from training.data.sampling import Indices, Weights, balance_weights, batches
from training.data.store import Store
from training.recipe.recipe import Recipe

_AHEAD = 4


def feed(
    store: Store, recipe: Recipe, *, training: bool, seed: int = 0, skip: int = 0
) -> tf.data.Dataset:
    """Return batches of images and labels.

    Parameters
    ----------
    store
        The images.
    recipe
        Batch size, balance and augmentation; with ``optimisation.map_weight`` also boxes.
    training
        True: without end (`sampling.steps_per_epoch` batches are an epoch), sampled for each epoch,
        augmented and mixed; labels of mixed images are between 0 and 1. False: all images once, in
        their order, without augmentation.
    seed, skip
        Random seed, and the number of batches to leave out at the start: the others are the same
        as without a break.

    Returns
    -------
    tf.data.Dataset
        Of (x, y), or (x, y, weight) with ``balance = "weight"`` in training. ``x`` is float32 of
        shape (n, height, width, channels), ``y`` of shape (n, classes). With boxes ``x`` has one
        channel more, 1 in the box and 0 outside, and ``y`` is {"class": (n, classes), "map":
        (n, 1)}, where "map" is 1 for images with a box.
    """
    boxed = recipe.optimisation.map_weight > 0
    drawn = _drawn if training else _in_order
    parts = tf.data.Dataset.from_generator(
        lambda: drawn(store, recipe, seed, skip),
        output_signature=_signature(store, recipe, training=training),
    )
    factor, offset = affine(recipe.input)

    def prepare(
        batch: tf.Tensor, grey: tf.Tensor, inside: tf.Tensor, y: tf.Tensor, weight: tf.Tensor
    ) -> tuple[object, ...]:
        marked = inside if boxed else None
        if training and recipe.augmentation.varies:
            grey, marked = augment(grey, marked, recipe.augmentation, seed, batch)
        if training and recipe.augmentation.mixes:
            grey, y, weight = mix(grey, y, weight, recipe.augmentation, seed, batch)
        x = grey * factor - offset
        target: object = y
        if marked is not None:
            x = tf.concat([x, marked], axis=-1)
            target = {"class": y, "map": tf.reduce_max(marked, axis=(1, 2))}
        weighed = training and recipe.feeding.balance == "weight"
        return (x, target, weight) if weighed else (x, target)

    calls = tf.data.AUTOTUNE
    return parts.map(prepare, num_parallel_calls=calls, deterministic=True).prefetch(_AHEAD)


Part = tuple[np.int64, Floats, Floats, Floats, Weights]


def _signature(store: Store, recipe: Recipe, *, training: bool) -> tuple[tf.TensorSpec, ...]:
    size = recipe.feeding.batch if training else None
    image = (size, *store.grey.shape[1:], 1)
    boxed = recipe.optimisation.map_weight > 0
    return (
        tf.TensorSpec((), tf.int64),
        tf.TensorSpec(image, tf.float32),
        tf.TensorSpec(image if boxed else (0, 0, 0, 0), tf.float32),
        tf.TensorSpec((size, len(recipe.classes)), tf.float32),
        tf.TensorSpec((size,), tf.float32),
    )


def _drawn(store: Store, recipe: Recipe, seed: int, skip: int) -> Iterator[Part]:
    yield from _parts(store, recipe, batches(store.samples, recipe.feeding, seed, skip))


def _in_order(store: Store, recipe: Recipe, _seed: int, skip: int) -> Iterator[Part]:
    size = recipe.feeding.batch
    every = np.arange(len(store.samples))
    chunks = (every[first : first + size] for first in range(skip * size, len(every), size))
    yield from _parts(store, recipe, enumerate(chunks, skip))


def _parts(store: Store, recipe: Recipe, chosen: Iterator[tuple[int, Indices]]) -> Iterator[Part]:
    y = multi_hot(store.samples, len(recipe.classes))
    weights = balance_weights(store.samples, recipe.feeding)
    boxed = recipe.optimisation.map_weight > 0
    none = np.zeros((0, 0, 0, 0), dtype=np.float32)
    for number, indices in chosen:
        grey = store.grey[indices][..., None]
        inside = store.inside(indices) if boxed else none
        weight = np.ones(len(indices), np.float32) if weights is None else weights[indices]
        yield np.int64(number), grey, inside, y[indices], weight
