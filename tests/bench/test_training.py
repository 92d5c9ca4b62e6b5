"""What feeding, keeping and resuming cost: our training beside a bare `fit` on arrays in memory."""

import statistics
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from pacs_ai.phantom import read_labels, write_phantom_collection
from tests.bench.test_throughput import keep
from training.data.read import load_images
from training.data.samples import Dataset, Sample
from training.learn.environment import environment
from training.learn.optimizer import build_optimizer
from training.learn.train import train
from training.learn.training_task import compile_model
from training.networks import build_network
from training.recipe.recipe import Recipe, load_recipe
from training.run.run import Run

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.train]

ROUNDS, EPOCHS, IMAGES, BATCH = 2, 3, 320, 32


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self._began)


def the_recipe() -> Recipe:
    recipe = load_recipe(
        "phantom",
        {
            "feeding": {"images_per_epoch": IMAGES, "batch": BATCH},
            "optimisation": {"epochs": EPOCHS, "map_weight": 0.0, "schedule": "constant"},
        },
    )
    still = dict.fromkeys(("rotation_degrees", "shift", "zoom", "contrast", "brightness"), 0.0)
    still |= {"noise": 0.0, "flip_horizontal": False}
    return recipe.model_copy(update={"augmentation": recipe.augmentation.model_copy(update=still)})


def ours(recipe: Recipe, dataset: Dataset, folder: Path) -> list[float]:
    train(Run.create(recipe, folder), recipe, dataset)
    rows = (folder / "history.csv").read_text().splitlines()
    return [float(row.split(",")[-1]) for row in rows[1:]]


def bare(recipe: Recipe, dataset: Dataset) -> list[float]:
    images = load_images(dataset.train, recipe.input, 2)
    chosen = np.resize(np.arange(len(images.y)), IMAGES)
    clock = Clock()
    with environment(recipe):
        network = build_network(recipe.input, recipe.network, 2)
        compile_model(network, recipe, build_optimizer(recipe.optimisation, network, 20, EPOCHS))
        network.fit(
            images.x[chosen],
            images.y[chosen],
            batch_size=BATCH,
            epochs=EPOCHS,
            validation_data=(images.x, images.y),
            validation_batch_size=BATCH,
            callbacks=[clock],
            verbose=0,
        )
    return clock.seconds


def test_feeding_costs_nothing(root: Path, tmp_path: Path) -> None:
    write_phantom_collection(tmp_path / "phantoms", 24, seed=3)
    samples = tuple(
        Sample(
            tmp_path / "phantoms" / row.file,
            row.patient_id,
            (row.label,),
            groups={"modality": row.modality},
        )
        for row in read_labels(tmp_path / "phantoms")
    )
    dataset = Dataset(("no finding", "lesion"), samples, samples, samples)
    recipe = the_recipe()
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(ROUNDS):  # one after the other, so that both meet the same machine
        seconds["ours"] += ours(recipe, dataset, tmp_path / str(number))[1:]
        seconds["bare"] += bare(recipe, dataset)[1:]
    mine, theirs = (IMAGES / statistics.median(seconds[name]) for name in ("ours", "bare"))
    keep(
        root,
        training_images_per_second=mine,
        training_images_per_second_bare_fit=theirs,
        training_against_bare_fit=mine / theirs,
    )
