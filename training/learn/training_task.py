"""A training task: the network with its loss, and the data that it learns from.

Dropout is the only random part of the model. Its seeds are variables of the model, so saving the
variables saves the whole state. Augmentation belongs to the data (`training.data.feed`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from training.data.feed import feed
from training.data.store import Store
from training.learn.losses import box_loss, class_loss, heat_inside
from training.learn.metrics import metrics_of
from training.networks import FEATURES, LOGITS
from training.recipe.data import Augmentation
from training.recipe.recipe import Recipe

CLASS, MAP = "class", "map"


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A model and its data.

    ``model`` shares its weights with the network. ``batches(skip)`` gives an endless
    `tf.data.Dataset` of training batches; it leaves out the first ``skip``, counted from the start
    of the training. ``plain()`` gives them without augmentation; None if the task learns from
    cached features. ``validation`` gives every validation image once.
    """

    model: keras.Model
    batches: Callable[[int], Any]
    validation: Any
    plain: Callable[[], Any] | None = None


def image_task(
    recipe: Recipe, network: keras.Model, training: Store, validation: Store
) -> TrainingTask:
    """Learn from images, with another augmentation in each epoch."""
    seed = recipe.optimisation.seed
    plain = recipe.model_copy(update={"augmentation": Augmentation()})
    return TrainingTask(
        build_training_model(recipe, network),
        lambda skip: feed(training, recipe, training=True, seed=seed, skip=skip),
        single_pass(validation, recipe),
        lambda: feed(training, plain, training=True, seed=seed),
    )


def single_pass(store: Store, recipe: Recipe) -> tf.data.Dataset:
    """Give every image once, without augmentation; the number of batches is known to Keras."""
    batches = math.ceil(len(store.samples) / recipe.feeding.batch)
    counted = tf.data.experimental.assert_cardinality(batches)
    return feed(store, recipe, training=False).apply(counted)


def build_training_model(recipe: Recipe, network: keras.Model) -> keras.Model:
    """Add to a network what only training needs; both share their weights.

    Parameters
    ----------
    recipe
        Says whether the heat map is trained (``optimisation.map_weight``).
    network
        From images to logits.

    Returns
    -------
    keras.Model
        From images (n, height, width, channels) float32 to logits (n, classes) float32. With
        ``optimisation.map_weight`` above 0 the box is one more input channel, and the outputs are
        a dictionary: ``class``, the logits, and ``map`` (n, 1), the share of the heat map that
        lies in the box, in [0, 1].
    """
    spec = recipe.input
    if recipe.optimisation.map_weight == 0:
        return keras.Model(network.input, network.output, name="training_model")
    x = keras.Input((spec.height, spec.width, spec.channels + 1), name="x")
    taps = keras.Model(network.input, [network.output, network.get_layer(FEATURES).output])
    logits, features = taps(x[..., : spec.channels])
    heat = network.get_layer(LOGITS)(features)[..., recipe.positive[0]]  # the bias cancels
    found = heat_inside(heat, x[..., spec.channels :])
    outputs = {
        CLASS: layers.Identity(name=CLASS, dtype="float32")(logits),
        MAP: layers.Identity(name=MAP, dtype="float32")(found),
    }
    return keras.Model(x, outputs, name="training_model")


def compile_model(
    model: keras.Model,
    recipe: Recipe,
    optimizer: keras.optimizers.Optimizer,
    *measures: keras.metrics.Metric,
) -> None:
    """Give a model its loss, its optimiser, its metrics, and further ones."""
    loss, measured = class_loss(recipe), [*metrics_of(recipe), *measures]
    if isinstance(model.output, dict):
        model.compile(
            optimizer,
            {CLASS: loss, MAP: box_loss},
            loss_weights={CLASS: 1.0, MAP: recipe.optimisation.map_weight},
            metrics={CLASS: measured},
            jit_compile=False,
        )
    else:
        model.compile(optimizer, loss, metrics=measured, jit_compile=False)
