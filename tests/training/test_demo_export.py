from pathlib import Path

import keras
import numpy as np
import pytest

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from training import demo_export as export_module
from training.config import Recipe
from training.convert import split_head, to_onnx
from training.demo_export import export
from training.model import build_network

pytestmark = pytest.mark.train

layers = keras.layers


@pytest.fixture
def network(small_recipe: Recipe) -> keras.Model:
    keras.utils.set_random_seed(4)
    return build_network(small_recipe.input, small_recipe.network, 2)


@pytest.fixture
def probe() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (3, 128, 128, 1)).astype(np.float32)


def test_a_bundle_computes_what_the_network_does(
    network: keras.Model, small_recipe: Recipe, probe: np.ndarray, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    difference = export(network, small_recipe, folder, probe, temperature=1.5, threshold=0.3)
    assert difference <= 1e-4
    bundle = load_bundle(folder)
    assert bundle.temperature == 1.5
    assert [entry.threshold for entry in bundle.identity.classes] == [0.7, 0.3]
    pixels = (probe[0, :, :, 0] + 1) / 2
    probabilities, _ = Classifier.load(bundle).predict_image(pixels)
    wanted = keras.ops.softmax(network(probe[:1]) / 1.5).numpy()[0]
    assert probabilities == pytest.approx(wanted.tolist(), abs=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_the_same_weights_give_the_same_bytes(network: keras.Model, small_recipe: Recipe) -> None:
    twin = build_network(small_recipe.input, small_recipe.network, 2)
    twin.set_weights(network.get_weights())
    assert to_onnx(network) == to_onnx(twin)


def test_a_network_that_differs_is_not_exported(
    network: keras.Model,
    small_recipe: Recipe,
    probe: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = build_network(small_recipe.input, small_recipe.network, 2)
    other.get_layer("logits").set_weights(network.get_layer("logits").get_weights())
    altered = to_onnx(other)
    monkeypatch.setattr(export_module, "to_onnx", lambda _: altered)
    with pytest.raises(ExportMismatch, match="differs"):
        export(network, small_recipe, tmp_path / "bundle", probe)
    assert not list(tmp_path.iterdir()), "nothing half-written may stay"


def head_of(kind: str, x: keras.KerasTensor) -> keras.KerasTensor:
    pooled = layers.GlobalAveragePooling2D()(x)
    return {
        "two dense layers": lambda: layers.Dense(2)(layers.Dense(4, activation="relu")(pooled)),
        "flattened": lambda: layers.Dense(2)(layers.Flatten()(x)),
        "largest value": lambda: layers.Dense(2)(layers.GlobalMaxPooling2D()(x)),
        "softmax inside": lambda: layers.Dense(2, activation="softmax")(pooled),
        "normalised": lambda: layers.Dense(2)(layers.BatchNormalization()(pooled)),
    }[kind]()


@pytest.mark.parametrize(
    "kind", ["two dense layers", "flattened", "largest value", "softmax inside", "normalised"]
)
def test_a_head_without_exact_gradcam_is_refused(
    kind: str, small_recipe: Recipe, probe: np.ndarray, tmp_path: Path
) -> None:
    image = keras.Input((128, 128, 1))
    features = layers.Conv2D(3, 8, strides=8, activation="relu")(image)
    model = keras.Model(image, head_of(kind, features))
    with pytest.raises(ExportMismatch, match=r"Grad-CAM|logits"):
        export(model, small_recipe, tmp_path / "bundle", probe)
    assert not list(tmp_path.iterdir())


def test_dropout_before_the_head_is_no_obstacle(network: keras.Model) -> None:
    features, dense = split_head(network)
    assert features.shape[1:] == (16, 16, 8)
    assert dense.name == "logits"
