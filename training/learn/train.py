"""Find the weights: from random ones or given ones to the best network on validation."""

from collections.abc import Mapping

import keras

from training.data.order import steps_per_epoch
from training.data.samples import Dataset
from training.data.store import Store, hold
from training.learn.checkpoint import Position
from training.learn.checkpointing import Phase
from training.learn.curves import draw_curves
from training.learn.distribute import devices
from training.learn.environment import environment
from training.learn.features import feature_lesson, features_suffice
from training.learn.loop import learn
from training.learn.schedules import build_optimizer
from training.learn.tensorboard import Boards
from training.learn.training_task import Lesson, compile_learner, image_lesson
from training.networks import base_layers, build_network
from training.networks.weights import load_weights
from training.recipe.recipe import Recipe
from training.run.run import Run


def train(run: Run, recipe: Recipe, dataset: Dataset) -> Mapping[str, object]:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    run
        Where everything goes: ``best.weights.npz``, ``history.csv``, curves, TensorBoard's logs.
    recipe
        What to do.
    dataset
        Who learns, and who chooses the epoch.

    Returns
    -------
    Mapping
        What came of it, for the summary of the run.
    """
    config = recipe.optimisation
    training, held = hold_splits(run, recipe, dataset)
    steps = steps_per_epoch(len(dataset.train), recipe.feeding)
    checkpoint = run.checkpoint("train")
    phase = Phase("train", config, config.epochs, steps, run.best, checkpoint, run.history)
    with environment(recipe), devices(config.devices):
        network = build_network(recipe.input, recipe.network, len(recipe.classes))
        lesson = choose_lesson(run, recipe, network, training, held)
        compile_learner(lesson.learner, recipe, build_optimizer(config, steps, config.epochs))
        found = learn(run, network, lesson, phase, extra=[Boards(run.tensorboard)])
    draw_curves(found.rows, run.plots / "curves.png")
    return {
        "images": len(dataset.train),
        "parameters": network.count_params(),
        **summary(found),
    }


def hold_splits(run: Run, recipe: Recipe, dataset: Dataset) -> tuple[Store, Store]:
    """Read the images of training and validation once, to be shown many times."""
    training, held = (
        hold(samples, recipe.input, recipe.feeding, run.cache)
        for samples in (dataset.train, dataset.validation)
    )
    return training, held


def choose_lesson(
    run: Run, recipe: Recipe, network: keras.Model, training: Store, held: Store
) -> Lesson:
    """Freeze what shall not learn, and show images, or their features where that is enough."""
    if recipe.optimisation.base == "frozen":
        for layer in base_layers(network):
            layer.trainable = False
    if features_suffice(recipe):
        run.log("the base is frozen and no image varies: features are computed once")
        return feature_lesson(recipe, network, training, held, run.cache)
    return image_lesson(recipe, network, training, held)


def summary(found: Position) -> Mapping[str, object]:
    """Say what a training found, in a few values."""
    best = found.rows[found.best_epoch] if found.rows else {}
    return {
        "epochs": len(found.rows),
        "best_epoch": found.best_epoch + 1,
        **{key: value for key, value in best.items() if key.startswith("val_")},
    }


def load_network(run: Run) -> keras.Model:
    """Build the network of a run with the best weights that it found.

    Raises
    ------
    BundleInvalid
        If there are none.
    """
    plain = run.recipe.network.model_copy(update={"weights": "none"})
    network = build_network(run.recipe.input, plain, len(run.recipe.classes))
    load_weights(network, run.best)
    return network
