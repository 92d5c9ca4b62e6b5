"""Train a network, from random or given weights, to the best one on validation."""

from collections.abc import Mapping

import keras

from training.data.samples import Dataset
from training.data.sampling import steps_per_epoch
from training.data.store import Store, load_store
from training.learn.checkpoint import Position
from training.learn.checkpointing import Phase
from training.learn.curves import draw_curves
from training.learn.distribute import devices
from training.learn.environment import environment
from training.learn.features import can_cache_features, feature_task
from training.learn.loop import learn
from training.learn.optimizer import build_optimizer, log_rates
from training.learn.tensorboard import TensorBoardScalars
from training.learn.training_task import TrainingTask, compile_model, image_task
from training.networks import base_layers, build_network
from training.networks.ensemble import View, ensemble, views
from training.networks.start import describe_start
from training.networks.weights import load_weights
from training.recipe.recipe import Recipe
from training.run.run import Run


def train(run: Run, recipe: Recipe, dataset: Dataset) -> Mapping[str, object]:
    """Train a network, or resume a training that was stopped.

    Parameters
    ----------
    run
        Gets ``best.weights.npz``, ``history.csv``, ``plots/curves.png`` and ``tensorboard/``.
    recipe
        The settings.
    dataset
        The network learns from its training split; the validation split chooses the best epoch.

    Returns
    -------
    Mapping
        The summary of the step, for ``run.json``.
    """
    config = recipe.optimisation
    training, validation = load_splits(run, recipe, dataset)
    steps = steps_per_epoch(len(dataset.train), recipe.feeding)
    checkpoint = run.checkpoint("train")
    phase = Phase("train", config, config.epochs, steps, run.best, checkpoint, run.history)
    with environment(recipe), devices(config.devices):
        network = build_network(recipe.input, recipe.network, len(recipe.classes))
        task = choose_task(run, recipe, network, training, validation)
        optimizer = build_optimizer(config, network, steps, config.epochs)
        rates = log_rates(run, phase.name, config.learning_rate, optimizer)
        compile_model(task.model, recipe, optimizer)
        found = learn(run, network, task, phase, extra=[TensorBoardScalars(run.tensorboard)])
    draw_curves(found.rows, run.plots / "curves.png")
    return {
        "images": len(dataset.train),
        "parameters": network.count_params(),
        "start": describe_start(recipe.network),
        **rates,
        **summary(found),
    }


def load_splits(run: Run, recipe: Recipe, dataset: Dataset) -> tuple[Store, Store]:
    """Read the images of the training and the validation split, once for all epochs."""
    training, validation = (
        load_store(samples, recipe.input, recipe.feeding, run.cache)
        for samples in (dataset.train, dataset.validation)
    )
    return training, validation


def choose_task(
    run: Run, recipe: Recipe, network: keras.Model, training: Store, validation: Store
) -> TrainingTask:
    """Freeze the base if the recipe says so; learn from images, or from cached features."""
    if recipe.optimisation.base == "frozen":
        for layer in base_layers(network):
            layer.trainable = False
    if can_cache_features(recipe):
        run.log("the base is frozen, and no image is augmented: features are computed once")
        return feature_task(recipe, network, training, validation, run.cache)
    return image_task(recipe, network, training, validation)


def summary(found: Position) -> Mapping[str, object]:
    """Summarise a training in a few values."""
    best = found.rows[found.best_epoch] if found.rows else {}
    return {
        "epochs": len(found.rows),
        "best_epoch": found.best_epoch + 1,
        **{key: value for key, value in best.items() if key.startswith("val_")},
    }


def load_network(run: Run) -> keras.Model:
    """Build the network of a run with its best weights.

    Raises
    ------
    BundleInvalid
        If there are none.
    """
    plain = run.recipe.network.model_copy(update={"weights": "none"})
    network = build_network(run.recipe.input, plain, len(run.recipe.classes))
    load_weights(network, run.best)
    return network


def load_served_network(run: Run) -> keras.Model:
    """Build the network that is evaluated and exported: with the views of ``[evaluation]``.

    Raises
    ------
    BundleInvalid
        If there are no weights.
    """
    network, seen = load_network(run), recipe_views(run.recipe)
    return network if len(seen) == 1 else ensemble([network], [1.0], seen)


def recipe_views(recipe: Recipe) -> tuple[View, ...]:
    """List the views of an image that a recipe asks for."""
    flips, several = recipe.augmentation, recipe.evaluation.views == "flips"
    return views(
        horizontal=several and flips.flip_horizontal, vertical=several and flips.flip_vertical
    )
