"""The shipped model, held against the network it was exported from."""

import hashlib
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.model.bundle import WEIGHTS, ModelBundle, load_bundle
from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.runtime import Runtime
from pacs_ai.phantom import MODALITIES, write_phantom_study
from training.explain.gradient import gradient_gradcam
from training.networks import FEATURES, build_network
from training.networks.head import split_head
from training.networks.weights import load_weights
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return load_bundle("demo")


@pytest.fixture(scope="module")
def network(bundle: ModelBundle, demo_recipe: Recipe) -> keras.Model:
    model = build_network(demo_recipe.input, demo_recipe.network, len(demo_recipe.classes))
    load_weights(model, bundle.folder / WEIGHTS)
    return model


@pytest.fixture(scope="module")
def inputs(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    folder = tmp_path_factory.mktemp("studies")
    studies = [
        write_phantom_study(folder / f"{modality}{lesion}", modality, 77, lesion=lesion, slices=3)
        for modality in MODALITIES
        for lesion in (True, False)
    ]
    pixels = [read_pixels(study.files[study.slice_index]) for study in studies]
    return np.concatenate([preprocess(image, bundle.input) for image in pixels])


def test_closed_form_gradcam_is_gradient_gradcam(
    bundle: ModelBundle, network: keras.Model, inputs: np.ndarray
) -> None:
    runtime = Runtime(bundle)
    explained = 0
    for x in inputs:
        _, features = runtime.predict(x[None])
        for index in range(len(bundle.identity.classes)):
            closed = gradcam(features[0], bundle.class_weights[index])
            gradient = gradient_gradcam(network, x[None], index, FEATURES)
            assert np.abs(closed - gradient).max() <= 1e-4
            explained += bool(gradient.any())
    assert explained >= len(inputs), "maps that are all zero would prove nothing"


def test_the_shipped_network_is_the_trained_one(
    bundle: ModelBundle, network: keras.Model, inputs: np.ndarray
) -> None:
    runtime = Runtime(bundle)
    twin = keras.Model(network.input, [network.output, split_head(network)[0]])
    for x in inputs:
        wanted = twin(x[None], training=False)
        for ours, theirs in zip(runtime.predict(x[None]), wanted, strict=True):
            assert np.abs(ours - theirs.numpy()).max() <= 1e-4


def test_the_weights_are_those_of_the_manifest(bundle: ModelBundle) -> None:
    manifest = tomllib.loads((bundle.folder / "model.toml").read_text(encoding="utf-8"))
    content = Path(bundle.folder / WEIGHTS).read_bytes()
    assert hashlib.sha256(content).hexdigest() == manifest["sha256"][WEIGHTS]
