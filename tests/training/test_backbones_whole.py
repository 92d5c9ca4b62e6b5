"""Pretrained networks go the whole way: imported, trained, exported, explained, and served."""

import json
from pathlib import Path

import keras
import numpy as np
import pydicom
import pytest
from keras import applications

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import write_phantom_study
from tests.training.quick_run import Command, write_recipe
from training.data.read import read_input
from training.explain.gradient import gradient_gradcam
from training.foreign.weights import import_weights
from training.learn.train import load_network
from training.networks import FEATURES
from training.networks.lite import lite
from training.pipeline import Pipeline
from training.pretrained.folder import find_record
from training.recipe.learning import EfficientNetLite
from training.recipe.recipe import Recipe, load_recipe
from training.run.provenance import STEPS
from training.run.run import Run

pytestmark = [pytest.mark.train, pytest.mark.thorough]

SIDE, PEAK = 64, 0.999
SCALINGS = {"efficientnet-lite0": "lite-rgb", "resnet50v2": "rgb", "convnext-tiny": "imagenet-rgb"}
KERAS = {"resnet50v2": applications.ResNet50V2, "convnext-tiny": applications.ConvNeXtTiny}


def without_top(name: str) -> keras.Model:
    """A network as its makers give it, of random weights that no layer makes nothing of."""
    keras.utils.set_random_seed(4)
    if name in KERAS:
        made = KERAS[name](include_top=False, weights=None, input_shape=(SIDE, SIDE, 3))
        for variable in made.trainable_variables if name == "convnext-tiny" else ():
            variable.assign(variable + keras.random.normal(variable.shape, stddev=0.1))
        return made  # without these each block of ConvNeXt is nearly nothing
    image = keras.Input((SIDE, SIDE, 3), name="image")
    return keras.Model(image, lite(image, EfficientNetLite.model_validate({"architecture": name})))


def recipe_of(folder: Path, name: str) -> Recipe:
    """Learn squares; the head learns enough that the maps of its classes are not empty."""
    values = load_recipe(write_recipe(folder)).model_dump()
    values["network"] = {"architecture": name, "weights": "imagenet"}
    values["optimisation"] |= {"base": "frozen", "epochs": 8, "learning_rate": 3e-3}
    values["input"] |= {
        "height": SIDE,
        "width": SIDE,
        "preprocess": f"letterbox-{SCALINGS[name]}-v1",
        "modalities": ["OT", "CR"],
    }
    return Recipe.model_validate(values | {"finetune": None})


def check_heat_maps(run: Run, pipeline: Pipeline) -> None:
    """The bundle shows the Grad-CAM of the trained network, which is not empty."""
    network, classifier = load_network(run), Classifier.load(load_bundle(run.bundle))
    for index in run.recipe.positive:
        maps = []
        for sample in [each for each in pipeline.dataset.test if each.labels == (index,)][:4]:
            x = read_input(sample, run.recipe.input)[None]
            maps.append((x, classifier.predict_input(x, (SIDE, SIDE)).saliency.grid[index]))
        x, shown = max(maps, key=lambda pair: pair[1].max())
        assert shown.max() > PEAK, "all maps are empty"
        assert shown.shape == (SIDE // 32, SIDE // 32)
        assert np.allclose(shown, gradient_gradcam(network, x, index, FEATURES), atol=1e-3)


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras writes so
@pytest.mark.parametrize("name", SCALINGS)
def test_a_pretrained_network_goes_the_whole_way(
    name: str, own_folder: Path, tmp_path: Path, command: Command
) -> None:
    file = tmp_path / "mine.weights.h5"
    without_top(name).save_weights(file)
    import_weights(file, name, licence="CC0-1.0", source="my department")
    file.unlink()
    run = Run.create(recipe_of(tmp_path, name), tmp_path / "run")
    pipeline = Pipeline(run)
    for step in STEPS:
        if step != "explain" or name == "efficientnet-lite0":  # it takes as long as all others
            pipeline.run_step(step)

    assert json.loads((run.folder / "parity.json").read_text(encoding="utf-8"))["relative"] <= 1e-4
    card = (run.bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    record = find_record(name)
    assert record is not None
    start = "weights learned on ImageNet (source my department, licence CC0-1.0, file mine.weights"
    assert start in card
    assert f"digest {record.digest}, sha256 {record.sha256}; not a file that is known)" in card
    assert own_folder.is_dir()
    check_heat_maps(run, pipeline)

    study = write_phantom_study(tmp_path / "study", "CR", 5, lesion=True, slices=1)
    command("infer", *study.files, "--model", run.bundle, "--out", tmp_path / "results")
    made = [pydicom.dcmread(path) for path in (tmp_path / "results").rglob("*.dcm")]
    uid = pydicom.dcmread(study.files[0]).StudyInstanceUID
    assert {each.StudyInstanceUID for each in made} == {uid}
