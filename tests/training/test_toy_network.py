"""A network of one's own, as docs/extending.md adds one: it learns, is exported, and is served."""

from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pydicom
import pytest
from keras import layers

from pacs_ai.phantom import write_phantom_study
from tests.training.commands import finish, start
from training import networks
from training.bundle.export import export
from training.data.samples import Dataset
from training.data.store import load_store
from training.learn.finetune import layers_from
from training.learn.training_task import compile_model, image_task
from training.networks import base_layers, build_network
from training.recipe.learning import Head
from training.recipe.recipe import Recipe, load_recipe
from training.run.run import Run
from training.statistics.calibration import Calibration

pytestmark = pytest.mark.train

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


class Toy(Head):
    """The section ``[network]`` of the toy: two convolutions."""

    architecture: Literal["toy"]
    width: int = 4


def toy(image: keras.KerasTensor, config: Toy) -> keras.KerasTensor:
    x = layers.Conv2D(config.width, 8, strides=8, activation="relu", name="first_conv")(image)
    return layers.Conv2D(config.width, 3, padding="same", activation="relu", name="second_conv")(x)


class ToyRecipe(Recipe):
    network: Toy  # type: ignore[assignment]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(networks, "BASES", {**networks.BASES, Toy: toy})
    values = load_recipe("phantom", {"feeding": {"batch": 8}}).model_dump()
    return ToyRecipe.model_validate(values | {"network": {"architecture": "toy"}})


def test_a_network_of_ones_own_learns_is_exported_and_serves_with_a_heat_map(
    recipe: Recipe, small_recipe: Recipe, dataset: Dataset, tmp_path: Path, root: Path
) -> None:
    network = build_network(recipe.input, recipe.network, len(recipe.classes))
    assert network.get_layer("features").output.shape == (None, 16, 16, 4)
    assert [layer.name for layer in layers_from(network, ["second"])] == ["second_conv"]
    assert {layer.name for layer in base_layers(network)} >= {"first_conv", "second_conv"}

    store = load_store(dataset.train, recipe.input, recipe.feeding)
    task = image_task(recipe, network, store, store)
    compile_model(task.model, recipe, keras.optimizers.Adam(1e-3))
    before = [weight.copy() for weight in network.get_weights()]
    task.model.fit(task.batches(0), steps_per_epoch=1, shuffle=False, verbose=0)
    after = network.get_weights()
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True)), "all learn"

    run = Run.create(small_recipe, tmp_path / "run")
    always = Calibration(temperature=1.0, thresholds=(1.0, 0.0))  # the node finds a lesion
    bundle = export(run, recipe, dataset, network, always)
    study = write_phantom_study(tmp_path / "study", "CR", 5, lesion=True, slices=1)
    results = tmp_path / "results"
    finish(start(root, "infer", *study.files, "--model", bundle, "--out", results))
    classes = {
        pydicom.dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID
        for path in results.rglob("*.dcm")
    }
    assert SECONDARY_CAPTURE in classes, "the heat map over the image"
