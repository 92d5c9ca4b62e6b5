"""Bundles: what they compute, what they say, and when there is none."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from PIL import Image

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.training.toys import toy_network, toy_world
from training.bundle import export as export_module
from training.bundle.convert import in_order, to_onnx
from training.bundle.export import export, in_float32
from training.bundle.parity import Parity
from training.evaluate import evaluate
from training.networks.head import split_head
from training.recipe.evaluation import Export
from training.statistics.calibration import Calibration

pytestmark = pytest.mark.train

layers = keras.layers


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    judged = evaluate(run, recipe, dataset, network)
    return (
        run,
        recipe,
        dataset,
        network,
        judged,
        export(run, recipe, dataset, network, judged.calibration),
    )


def test_a_bundle_computes_what_the_network_does(world) -> None:
    run, _, dataset, network, judged, folder = world
    bundle = load_bundle(folder)
    assert bundle.temperature == judged.calibration.temperature
    thresholds = tuple(entry.threshold for entry in bundle.identity.classes)
    assert thresholds == judged.calibration.thresholds
    sample = next(s for s in dataset.test if s.labels == (1,))
    pixels = np.asarray(Image.open(sample.path), dtype=np.float32) / 255
    probabilities = Classifier.load(bundle).predict_image(pixels).probabilities
    logits = network((2 * pixels - 1)[None, ..., None]) / bundle.temperature
    assert list(probabilities) == pytest.approx(keras.ops.softmax(logits).numpy()[0], abs=1e-4)
    parity = json.loads((run.folder / "parity.json").read_text())
    assert parity["relative"] <= 1e-4
    assert parity["auc"] == 0.0
    assert not list(run.folder.glob("*.draft"))


def test_a_bundle_tells_what_is_unlike_its_training(world) -> None:
    bundle = load_bundle(world[-1])
    assert bundle.outliers is not None
    manifest = tomllib.loads((world[-1] / "model.toml").read_text())
    assert manifest["incomplete_above"] == bundle.identity.incomplete_above == 0.1
    assert set(manifest["sha256"]) == {p.name for p in world[-1].iterdir()} - {"model.toml"}


def test_the_sets_of_the_evaluation_are_served_unless_the_recipe_says_no(
    world, tmp_path: Path
) -> None:
    _, recipe, dataset, network, judged, folder = world
    assert judged.calibration.sets is not None
    assert load_bundle(folder).identity.sets == judged.calibration.sets
    assert "### Prediction sets, by study" in (folder / "MODEL_CARD.md").read_text()
    run, *_ = toy_world(tmp_path)
    off = recipe.export.model_copy(update={"prediction_sets": False})
    without = recipe.model_copy(update={"export": off})
    export(run, without, dataset, network, judged.calibration)
    assert "conformal" not in tomllib.loads((run.bundle / "model.toml").read_text())
    assert load_bundle(run.bundle).identity.sets is None


def test_the_card_says_what_was_measured_and_what_nobody_said(world) -> None:
    _, _, dataset, _, judged, folder = world
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    auc = judged.figures["units"]["study"]["all"]["overall"]["auc"]
    assert f"{auc['value']:.3f} (" in card
    assert "| train | 48 | 24 | 24 | 16 | 16 | 16 |" in card
    assert "1 file <left out>" in card
    assert "*Not stated.*" in card
    assert "intended use and clinical role | introduction | background | **not stated**" in card
    assert not any(sample.patient in card for sample in dataset.test)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["units"]["image"]["all"]["cases"] == len(dataset.test)


def test_what_a_person_said_stands_in_the_card(world, tmp_path: Path) -> None:
    _, recipe, dataset, network, judged, _ = world
    run, *_ = toy_world(tmp_path)
    said = recipe.card.model_copy(
        update={"intended_use": "To count squares.", "limits": ("Only squares.",), "banner": "TOY"}
    )
    export(run, recipe.model_copy(update={"card": said}), dataset, network, judged.calibration)
    card = (run.bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "To count squares." in card
    assert "- Only squares." in card
    assert "> **TOY**" in card
    assert "intended use and clinical role | introduction | background | Intended use" in card


def test_the_same_run_gives_the_same_bundle(world) -> None:
    run, recipe, dataset, network, judged, folder = world
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    export(run, recipe, dataset, network, judged.calibration)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert to_onnx(network) == to_onnx(toy_network(recipe))


def test_the_order_of_the_converter_leaves_no_trace(world) -> None:
    graph = onnx.load_from_string(to_onnx(world[3])).graph
    nodes = list(graph.node)
    mixed = onnx.GraphProto()
    mixed.CopyFrom(graph)
    del mixed.node[:]
    mixed.node.extend(reversed(nodes))
    assert in_order(mixed) == nodes


def test_few_images_make_no_statistics_and_no_noise(world, tmp_path: Path) -> None:
    _, recipe, dataset, network, judged, _ = world
    run, *_ = toy_world(tmp_path)
    export(run, recipe, replace(dataset, train=dataset.train[:2]), network, judged.calibration)
    assert load_bundle(run.bundle).outliers is None
    assert "too few" in (run.folder / "log.txt").read_text()


def test_a_network_that_differs_is_not_exported(
    world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, recipe, dataset, network, judged, _ = world
    run, *_ = toy_world(tmp_path)
    other = toy_network(recipe)
    kernel, bias = other.get_layer("squares").get_weights()
    other.get_layer("squares").set_weights([kernel * 1.01, bias])
    altered = to_onnx(other)
    monkeypatch.setattr(export_module, "to_onnx", lambda _: altered)
    with pytest.raises(ExportMismatch, match="parity_limit"):
        export(run, recipe, dataset, network, judged.calibration)
    assert not list(run.folder.glob("bundle*")), "nothing half-written may stay"


def test_limits_bite() -> None:
    limits = Export(parity_limit=1e-3, auc_limit=0.0)
    Parity(1, 0.0, 0.0, 1e-3, 0.0).check(limits)
    Parity(1, 0.0, 0.0, 1e-3, None).check(limits)
    with pytest.raises(ExportMismatch, match="AUC"):
        Parity(1, 0.0, 0.0, 0.0, 0.01).check(limits)
    with pytest.raises(ExportMismatch, match="differs by nan"):
        Parity(1, 0.0, 0.0, float("nan"), None).check(limits)


def head_of(kind: str, x: keras.KerasTensor) -> keras.KerasTensor:
    pooled = layers.GlobalAveragePooling2D()(x)
    return {
        "two dense layers": lambda: layers.Dense(3)(layers.Dense(4, activation="relu")(pooled)),
        "flattened": lambda: layers.Dense(3)(layers.Flatten()(x)),
        "largest value": lambda: layers.Dense(3)(layers.GlobalMaxPooling2D()(x)),
        "softmax inside": lambda: layers.Dense(3, activation="softmax")(pooled),
        "normalised": lambda: layers.Dense(3)(layers.BatchNormalization()(pooled)),
    }[kind]()


@pytest.mark.parametrize(
    "kind", ["two dense layers", "flattened", "largest value", "softmax inside", "normalised"]
)
def test_a_head_without_exact_gradcam_is_refused(kind: str, tmp_path: Path) -> None:
    run, recipe, dataset, _ = toy_world(tmp_path)
    image = keras.Input((32, 32, 1))
    features = layers.Conv2D(3, 8, strides=8, activation="relu")(image)
    model = keras.Model(image, head_of(kind, features))
    with pytest.raises(ExportMismatch, match=r"Grad-CAM|logits"):
        export(run, recipe, dataset, model, Calibration(1.0, (0.5,) * 3))
    assert not list(run.folder.glob("bundle*"))


def test_dropout_before_the_head_is_no_obstacle() -> None:
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    features, dense = split_head(keras.Model(image, layers.Dense(2, name="logits")(x)))
    assert features.shape[1:] == (16, 16, 4)
    assert dense.name == "logits"


def test_mixed_precision_is_exported_in_float32() -> None:
    image = keras.Input((16, 16, 1))
    x = layers.Conv2D(4, 3, dtype="mixed_bfloat16")(image)
    x = layers.GlobalAveragePooling2D(dtype="mixed_bfloat16")(x)
    mixed = keras.Model(image, layers.Dense(2, dtype="float32")(x))
    plain = in_float32(mixed)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}
    x = np.random.default_rng(1).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)
    assert np.allclose(plain(x), mixed(x), atol=0.02)
    assert in_float32(plain) is plain
