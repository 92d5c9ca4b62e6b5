"""A map from the middle changes neither logits nor heat maps, and tells images of another kind."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.runtime import Runtime
from training.bundle.compress import to_float16, to_int8
from training.bundle.convert import to_onnx
from training.bundle.export import export
from training.data.read import read_input
from training.data.samples import Dataset
from training.networks import build_network
from training.networks.ensemble import ensemble
from training.networks.head import split_head
from training.networks.middle import middle_layer, with_middle
from training.recipe.recipe import Recipe
from training.run.run import Run
from training.statistics.calibration import Calibration

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def network(small_recipe: Recipe) -> keras.Model:
    return build_network(small_recipe.input, small_recipe.network, 2)


def images(recipe: Recipe, n: int = 3) -> np.ndarray:
    spec = recipe.input
    shape = (n, spec.height, spec.width, spec.channels)
    return np.random.default_rng(2).uniform(-1, 1, shape).astype(np.float32)


def test_the_logits_stay_and_the_features_get_more(
    small_recipe: Recipe, network: keras.Model
) -> None:
    name, x = middle_layer(small_recipe.network), images(small_recipe)
    served, appended = with_middle(network, name)
    features, dense = split_head(served)
    assert appended == 6
    assert np.allclose(served(x), network(x), atol=1e-6)
    assert not dense.get_weights()[0][-appended:].any()
    maps = keras.Model(served.input, features)(x).numpy()
    middle = keras.Model(network.input, network.get_layer(name).output)(x).numpy()
    assert np.allclose(maps[..., -appended:], middle.mean((1, 2))[:, None, None], atol=1e-5)
    plain = keras.Model(network.input, split_head(network)[0])(x).numpy()
    assert np.allclose(maps[..., :-appended], plain, atol=1e-6)


def test_smaller_networks_have_it_too(small_recipe: Recipe, network: keras.Model) -> None:
    served, appended = with_middle(network, middle_layer(small_recipe.network))
    x, whole = images(small_recipe, 8), to_onnx(served)
    kernel, bias = split_head(served)[1].get_weights()
    for smaller, far in ((to_float16(whole), 2e-2), (to_int8(whole, x), 0.3)):
        session = onnxruntime.InferenceSession(smaller, providers=["CPUExecutionProvider"])
        logits, features = session.run(["logits", "features"], {"image": x})
        assert np.abs(logits - served(x).numpy()).max() < far
        assert np.allclose(features.mean((1, 2)) @ kernel + bias, logits, atol=1e-4)
        assert np.ptp(features[..., -appended:], axis=(1, 2)).max() == 0


def test_an_ensemble_is_looked_into(small_recipe: Recipe, network: keras.Model) -> None:
    other = build_network(small_recipe.input, small_recipe.network, 2)
    joined = ensemble([network, other], [1.0, 2.0], ((), (2,)))
    served, appended = with_middle(joined, middle_layer(small_recipe.network))
    x = images(small_recipe)
    assert appended == 6
    assert np.allclose(served(x), joined(x), atol=1e-6)


def test_a_network_without_such_a_layer_stays_as_it_is(network: keras.Model) -> None:
    assert with_middle(network, "") == (network, 0)
    assert with_middle(network, "block5c_add") == (network, 0)


@pytest.mark.parametrize(
    "architecture",
    ["resnet50", "resnet50v2", "resnet101", "vgg16", "densenet121", "efficientnetb0"],
)
def test_each_backbone_has_the_layer(architecture: str) -> None:
    from training.networks.backbone import build_base  # noqa: PLC0415
    from training.recipe.learning import Backbone  # noqa: PLC0415

    config = Backbone(architecture=architecture, weights="none", dropout=0.0)
    base = build_base(architecture, keras.Input((64, 64, 3)))
    assert middle_layer(config) in {layer.name for layer in base.layers}


def test_the_bundle_tells_images_of_another_kind(
    small_recipe: Recipe, network: keras.Model, dataset: Dataset, tmp_path: Path
) -> None:
    run = Run.create(small_recipe, tmp_path / "run")
    many = replace(dataset, train=dataset.train * 3)
    folder = export(run, small_recipe, many, network, Calibration(1.0, (0.5, 0.5)))
    bundle = load_bundle(folder)
    assert bundle.outliers is not None
    assert bundle.outliers.channels == 6
    runtime = Runtime(bundle)
    noise = images(small_recipe, 1)
    _, far = runtime.predict(noise)
    _, near = runtime.predict(read_input(dataset.train[0], small_recipe.input)[None])
    assert bundle.outliers.score(near.mean((1, 2)))[0] <= 1
    assert bundle.outliers.score(far.mean((1, 2)))[0] > 1
    with np.load(folder / "weights.npz") as kept:
        assert len(kept.files) == len(network.get_weights())
