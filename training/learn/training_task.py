"""The network as it learns: with its cost behind it, and with what it is shown.

The only chance in it, dropout, comes from seeds that are variables of the learner: saving its
variables saves the whole state. Augmentation belongs to the data (`data.stream`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from training.data.store import Store
from training.data.stream import feed
from training.learn.losses import accuracy, class_loss, heat_inside, missed
from training.networks import FEATURES, LOGITS
from training.recipe.recipe import Recipe

CLASS, MAP = "class", "map"


@dataclass(frozen=True, slots=True)
class Lesson:
    """Who learns from what.

    ``shown`` gives training data for ever, from a batch on that is counted from the start of the
    training; ``validation`` gives every image once.
    """

    learner: keras.Model
    shown: Callable[[int], Any]
    validation: Any


def image_lesson(recipe: Recipe, network: keras.Model, training: Store, held: Store) -> Lesson:
    """Learn from images, varied anew each time."""
    seed = recipe.optimisation.seed
    return Lesson(
        build_learner(recipe, network),
        lambda skip: feed(training, recipe, training=True, seed=seed, skip=skip),
        once(held, recipe),
    )


def once(store: Store, recipe: Recipe) -> tf.data.Dataset:
    """Give every image once, as it is; Keras is told how many batches come."""
    batches = math.ceil(len(store.samples) / recipe.feeding.batch)
    counted = tf.data.experimental.assert_cardinality(batches)
    return feed(store, recipe, training=False).apply(counted)


def build_learner(recipe: Recipe, network: keras.Model) -> keras.Model:
    """Wrap a network in what only training needs; both share their weights.

    Parameters
    ----------
    recipe
        Whether the heat map is taught.
    network
        From images to logits.

    Returns
    -------
    keras.Model
        From what `data.stream.feed` gives to what it should be: images (n, height, width,
        channels) to logits (n, classes). With ``optimisation.map_weight`` the boxes come as one
        more channel, and the outputs are a dictionary: ``class``, the logits, and ``map``, the
        share of the heat that lies in the box (n, 1).
    """
    spec = recipe.input
    if recipe.optimisation.map_weight == 0:
        return keras.Model(network.input, network.output, name="learner")
    x = keras.Input((spec.height, spec.width, spec.channels + 1), name="x")
    taps = keras.Model(network.input, [network.output, network.get_layer(FEATURES).output])
    logits, features = taps(x[..., : spec.channels])
    heat = network.get_layer(LOGITS)(features)[..., recipe.positive[0]]  # the bias cancels
    found = heat_inside(heat, x[..., spec.channels :])
    outputs = {
        CLASS: layers.Identity(name=CLASS, dtype="float32")(logits),
        MAP: layers.Identity(name=MAP, dtype="float32")(found),
    }
    return keras.Model(x, outputs, name="learner")


def compile_learner(
    learner: keras.Model, recipe: Recipe, optimizer: keras.optimizers.Optimizer
) -> None:
    """Give a learner its cost and what moves its weights."""
    loss, measure = class_loss(recipe), accuracy(recipe)
    if isinstance(learner.output, dict):
        learner.compile(
            optimizer,
            {CLASS: loss, MAP: missed},
            loss_weights={CLASS: 1.0, MAP: recipe.optimisation.map_weight},
            metrics={CLASS: [measure]},
            jit_compile=False,
        )
    else:
        learner.compile(optimizer, loss, metrics=[measure], jit_compile=False)
