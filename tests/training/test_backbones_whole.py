"""A pretrained network goes the whole way: imported, trained, explained, exported, and served."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.training.quick_run import write_recipe
from training.explain.gradient import gradient_gradcam
from training.foreign.weights import import_weights
from training.learn.train import load_network
from training.networks import FEATURES
from training.networks.lite import lite
from training.pipeline import run_pipeline
from training.pretrained.folder import find_record
from training.recipe.learning import EfficientNetLite
from training.recipe.recipe import Recipe, load_recipe
from training.run.run import Run

pytestmark = [pytest.mark.train, pytest.mark.slow]

SIDE = 32
SCALINGS = {"efficientnet-lite0": "lite-rgb"}


def without_top(name: str) -> keras.Model:
    """A network with random weights, as Keras makes it."""
    keras.utils.set_random_seed(4)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    return keras.Model(image, lite(image, EfficientNetLite.model_validate({"architecture": name})))


def recipe_of(folder: Path, name: str) -> Recipe:
    values = load_recipe(write_recipe(folder)).model_dump()
    values["network"] = {"architecture": name, "weights": "imagenet"}
    values["input"] |= {
        "height": SIDE,
        "width": SIDE,
        "preprocess": f"letterbox-{SCALINGS[name]}-v1",
        "modalities": ["OT", "CR"],
    }
    return Recipe.model_validate(values | {"finetune": None})


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
@pytest.mark.parametrize("name", SCALINGS)
def test_a_pretrained_network_goes_the_whole_way(
    name: str, own_folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.weights.h5"
    without_top(name).save_weights(file)
    import_weights(file, name, licence="CC0-1.0", source="my department")
    file.unlink()
    run = Run.create(recipe_of(tmp_path, name), tmp_path / "run")
    run_pipeline(run)

    assert json.loads((run.folder / "parity.json").read_text(encoding="utf-8"))["relative"] <= 1e-4
    card = (run.bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    record = find_record(name)
    assert record is not None
    start = "weights learned on ImageNet (source my department, licence CC0-1.0, file mine.weights"
    assert start in card
    assert f"digest {record.digest}, sha256 {record.sha256}; not a file that is known)" in card
    assert own_folder.is_dir()

    network, classifier = load_network(run), Classifier.load(load_bundle(run.bundle))
    x = np.random.default_rng(5).uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    served = classifier.predict_input(x, (SIDE, SIDE))
    for index in run.recipe.positive:
        wanted = gradient_gradcam(network, x, index, FEATURES)
        assert np.allclose(served.saliency.grid[index], wanted, atol=1e-3)
