"""Smaller bundles: the node takes them, their heat maps stay exact, and the cost is said."""

import json
import tomllib

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.runtime import Runtime
from tests.training.toys import toy_world
from training.bundle.compress import head_nodes
from training.bundle.export import export
from training.bundle.quantise import quantise
from training.evaluate import evaluate

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    judged = evaluate(run, recipe, dataset, network)
    folder = export(run, recipe, dataset, network, judged.calibration)
    return run, recipe, dataset, folder, quantise(run, recipe, dataset, folder)


@pytest.mark.parametrize("name", ["fp16", "int8"])
def test_the_node_takes_a_smaller_bundle(world, name: str) -> None:
    folder = world[3].with_name(f"bundle-{name}")
    bundle = load_bundle(folder)
    assert bundle.identity.version == f"1-{name}"
    assert bundle.outliers is not None
    pixels = np.random.default_rng(1).uniform(size=(32, 32)).astype(np.float32)
    Classifier.load(bundle).predict_image(pixels)
    x = np.random.default_rng(2).uniform(-1, 1, (1, 32, 32, 1)).astype(np.float32)
    logits, features = Runtime(bundle).predict(x)
    assert features.dtype == logits.dtype == np.float32
    head = features.mean(axis=(1, 2)) @ bundle.class_weights.T + bundle.bias
    assert np.allclose(head, logits, atol=1e-3, rtol=1e-3)


def test_weights_are_stored_as_they_are_called(world) -> None:
    folder = world[3]
    kinds = {
        name: {
            tensor.data_type
            for tensor in onnx.load(
                folder.with_name(f"bundle-{name}") / "model.onnx"
            ).graph.initializer
        }
        for name in ("fp16", "int8")
    }
    assert TensorProto.FLOAT16 in kinds["fp16"]
    assert TensorProto.INT8 in kinds["int8"]


def test_the_cost_is_measured_against_the_original_on_the_same_patients(world) -> None:
    run, _, dataset, _, found = world
    original, half, eight = found["variants"]
    assert [v["name"] for v in (original, half, eight)] == ["fp32", "fp16", "int8"]
    assert found["images"] == len(dataset.test)
    assert original["cost"]["auc"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert original["largest_difference_of_logits"] == 0.0
    assert 0 < half["largest_difference_of_logits"] < eight["largest_difference_of_logits"]
    assert abs(half["cost"]["auc"]["value"]) < 0.02
    assert all(v["milliseconds"] > 0 for v in (original, half, eight))
    kept = json.loads((run.folder / "quantise.json").read_text())
    assert [v["figures"] for v in kept["variants"]] == [v["figures"] for v in found["variants"]]


def test_card_and_hashes_know_of_the_cost(world) -> None:
    folder = world[3].with_name("bundle-int8")
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "## What this smaller network costs" in card
    manifest = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {p.name for p in folder.iterdir()} - {"model.toml"}
    assert not list(folder.parent.glob("*.draft"))


def test_doing_it_again_replaces_what_was_there(world) -> None:
    run, recipe, dataset, folder, _ = world
    networks = [folder.with_name(f"bundle-{n}") / "model.onnx" for n in ("fp16", "int8")]
    before = [path.read_bytes() for path in networks]
    quantise(run, recipe, dataset, folder)
    assert before == [path.read_bytes() for path in networks]


def test_a_network_without_our_head_is_refused() -> None:
    value = onnx.helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    image = onnx.helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["image"], ["logits"], name="n0")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [image], [value]))
    with pytest.raises(ExportMismatch, match="pooled head"):
        head_nodes(model)
