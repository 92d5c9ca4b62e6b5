"""Batch normalisation: the kept statistics are those of the kept weights."""

import csv
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from tests.training.toys import KINDS, toy_recipe, toy_samples
from training.data.samples import Dataset
from training.data.sampling import steps_per_epoch
from training.data.store import load_store
from training.learn.batch_norm import (
    BatchNormStatistics,
    base_in_training,
    estimate_statistics,
)
from training.learn.finetune import finetune
from training.learn.train import load_network, train
from training.learn.training_task import TrainingTask, image_task
from training.networks import build_network
from training.recipe.learning import Finetune
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = pytest.mark.train

Small = Callable[..., Recipe]


def statistics(network: keras.Model) -> list[np.ndarray]:
    found = [each for each in network.layers if isinstance(each, layers.BatchNormalization)]
    return [np.asarray(v) for each in found for v in (each.moving_mean, each.moving_variance)]


def task_of(recipe: Recipe, network: keras.Model, dataset: Dataset) -> TrainingTask:
    store = load_store(dataset.train, recipe.input, recipe.feeding, Path())
    return image_task(recipe, network, store, store)


def estimated(recipe: Recipe, network: keras.Model, dataset: Dataset) -> list[np.ndarray]:
    """Compute the statistics of a network anew."""
    task = task_of(recipe, network, dataset)
    steps = steps_per_epoch(len(dataset.train), recipe.feeding)
    BatchNormStatistics(network, task, steps, recipe.feeding.batch).on_test_begin()
    return statistics(network)


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(first, second, strict=True))


def test_the_first_layer_has_the_mean_and_variance_of_all_pixels(small_recipe: Recipe) -> None:
    network = build_network(small_recipe.input, small_recipe.network, 2)
    rng = np.random.default_rng(3)
    shape = (6, *network.input_shape[1:])
    images = [rng.uniform(low, low + 1, shape).astype("float32") for low in (0.0, 0.5, 3.0)]
    before = network.get_layer("stem_bn").momentum
    compute = base_in_training(network)
    estimate_statistics(network, iter(images), compute)
    estimate_statistics(network, iter(images), compute)
    assert compute.experimental_get_tracing_count() == 1, "traced for each validation"
    tap = keras.Model(network.input, network.get_layer("stem_conv").output)
    pixels = np.concatenate([np.asarray(tap(x)) for x in images], dtype=np.float64)
    mean, variance = statistics(network)[:2]
    assert np.allclose(mean, pixels.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-5)
    assert np.allclose(variance, pixels.var(axis=(0, 1, 2)), rtol=1e-3)
    assert network.get_layer("stem_bn").momentum == before


def test_kept_statistics_are_those_of_the_kept_weights_also_of_averaged_ones(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    recipe = small(optimisation={"average": 0.9})
    run = Run.create(recipe, tmp_path)
    train(run, recipe, dataset)
    network = load_network(run)
    kept = statistics(network)
    assert same(kept, estimated(recipe, network, dataset))


def test_fine_tuning_keeps_statistics_of_its_weights_too(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    recipe = small(optimisation={"epochs": 1})
    run = Run.create(recipe, tmp_path)
    train(run, recipe, dataset)
    section = Finetune(unfreeze=("all",), epochs=1, learning_rate=1e-3, batch_norm="trained")
    tuned = recipe.model_copy(update={"finetune": section})
    assert finetune(run, tuned, dataset)["kept"] == "fine-tuned"
    network = load_network(run)
    kept = statistics(network)
    assert same(kept, estimated(recipe, network, dataset))


def test_frozen_layers_keep_their_statistics(small_recipe: Recipe, dataset: Dataset) -> None:
    network = build_network(small_recipe.input, small_recipe.network, 2)
    network.get_layer("stem_bn").trainable = False
    after = estimated(small_recipe, network, dataset)
    assert (after[0] == 0).all()
    assert (after[1] == 1).all()
    assert (after[2] != 0).any()


def test_early_stopping_waits_for_the_network_and_not_for_its_statistics(tmp_path: Path) -> None:
    """The moving statistics of Keras need about 60 steps to forget their start values."""
    recipe = toy_recipe(tmp_path)
    settings = {"epochs": 10, "learning_rate": 1e-2, "patience": 3}
    sections = {
        "optimisation": recipe.optimisation.model_copy(update=settings),
        "feeding": recipe.feeding.model_copy(update={"batch": 8}),
        "network": recipe.network.model_copy(update={"stem": 8, "stages": (8, 16), "halvings": 1}),
    }
    run = Run.create(recipe.model_copy(update=sections), tmp_path / "run")
    drawn = (toy_samples(tmp_path / str(seed), 48, seed) for seed in (1, 2))
    train(run, run.recipe, Dataset(KINDS, *drawn, test=()))
    with run.history.open() as file:
        accuracies = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    assert max(accuracies) > 0.9
