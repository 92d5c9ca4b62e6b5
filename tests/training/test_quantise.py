"""Smaller bundles: the node takes them, their heat maps stay exact, and the cost is said."""

import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from pacs_ai.errors import DataError, ExportMismatch, PrecisionRefused
from pacs_ai.model.bundle import SHIPPED, load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.runtime import Runtime
from pacs_ai.phantom import write_phantom_collection
from tests.training.toys import toy_world
from training.bundle.compress import fold_padding, head_nodes, to_int8
from training.bundle.export import export
from training.bundle.precision import run_original
from training.bundle.quantise import quantise
from training.bundle.quantise_folder import quantise_folder
from training.bundle.smaller import write_int8
from training.data.read import load_images
from training.data.samples import SPLITS, Sample
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


def test_a_node_that_no_output_needs_does_not_round_the_logits() -> None:
    bundle = load_bundle(SHIPPED / "demo")
    model = onnx.load_from_string(bundle.read_network())
    model.graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["unused"]))
    x = np.random.default_rng(3).uniform(size=(2, 128, 128, 1)).astype(np.float32)
    session = onnxruntime.InferenceSession(to_int8(model.SerializeToString(), x))
    logits, features = session.run(["logits", "features"], {session.get_inputs()[0].name: x})
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


def test_the_report_is_about_these_two_networks_on_the_validation_split(world) -> None:
    _, _, dataset, folder, found = world
    report = load_bundle(folder.with_name("bundle-int8")).quantisation
    assert report is not None
    assert report.original == load_bundle(folder).identity.sha256
    assert (report.split, report.truth) == ("validation", "labels")
    assert report.images == len(dataset.validation)
    assert report.excess() == found["refused"] == ""
    assert 0 < report.probability_difference < 0.1
    assert load_bundle(folder.with_name("bundle-fp16")).quantisation is None


def test_images_with_an_uncertain_label_take_no_part_in_the_comparison(tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path, ("bright", "dark"), "sigmoid")

    def doubted(samples: tuple[Sample, ...]) -> tuple[Sample, ...]:
        """Leave the labels of every sixth study uncertain."""
        return tuple(
            replace(each, labels=(), uncertain=(0, 1)) if index // 2 % 6 == 1 else each
            for index, each in enumerate(samples)
        )

    parts = {name: doubted(dataset.split(name)) for name in SPLITS}
    dataset = replace(dataset, **parts)
    known = dataset.certain()
    judged = evaluate(run, recipe, dataset, network)
    folder = export(run, recipe, dataset, network, judged.calibration)
    found = quantise(run, recipe, dataset, folder)
    assert found["images"] == len(known.test) < len(dataset.test)
    report = load_bundle(folder.with_name("bundle-int8")).quantisation
    assert report is not None
    assert report.images == len(known.validation) < len(dataset.validation)
    for variant in found["variants"]:
        assert variant["figures"]["auc"]["value"] > 0.8


def test_ranges_that_do_not_fit_the_images_are_refused(world) -> None:
    _, recipe, dataset, folder, _ = world
    bundle = load_bundle(folder)
    images = load_images(dataset.validation, recipe.input, 3, 1)
    seen = run_original(bundle, images.x, images.y > 0, "validation")
    before = (folder.with_name("bundle-int8") / "model.toml").read_bytes()
    tried: list[str] = []
    with pytest.raises(PrecisionRefused, match=r"full ranges: .*differs by"):
        write_int8(bundle, np.zeros_like(images.x[:4]), seen, tried.append)
    assert sum("trying" in line for line in tried) == 4
    assert (folder.with_name("bundle-int8") / "model.toml").read_bytes() == before


def test_without_images_of_both_kinds_nothing_is_compared(world) -> None:
    _, recipe, dataset, folder, _ = world
    bundle = load_bundle(folder)
    images = load_images(dataset.validation, recipe.input, 3, 1)
    empty = images.y[:, 0] > 0
    seen = run_original(bundle, images.x[empty], images.y[empty] > 0, "validation")
    with pytest.raises(PrecisionRefused, match="AUC cannot be compared"):
        write_int8(bundle, images.x[:4], seen, lambda _: None)


def test_a_bundle_without_a_run_is_compared_by_its_own_decisions(tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED / "demo", tmp_path / "demo")
    write_phantom_collection(tmp_path / "images", 40, 7)
    found = quantise_folder(folder, [tmp_path / "images"], lambda _: None)
    report = load_bundle(found["bundle"]).quantisation
    assert report is not None
    assert (report.split, report.truth) == ("folder", "decisions")
    assert report.images + found["calibration_images"] > 2 * 50
    card = Path(found["bundle"], "MODEL_CARD.md").read_text(encoding="utf-8")
    title, _, text = card.partition("\n")
    assert title.endswith(load_bundle(found["bundle"]).identity.version)
    assert text.startswith((SHIPPED / "demo" / "MODEL_CARD.md").read_text().partition("\n")[2])
    assert f"{report.images} images without labels" in text
    assert f"a probability: {report.probability_difference:.3g}" in text
    with pytest.raises(DataError, match="50 are needed"):
        quantise_folder(folder, [tmp_path / "images" / "study00000"], lambda _: None)


@pytest.mark.parametrize("below", ["Relu", "Identity"])
def test_padding_is_left_to_the_pooling_where_nothing_is_negative(below: str) -> None:
    def graph() -> onnx.ModelProto:
        nodes = [
            onnx.helper.make_node(below, ["x"], ["a"]),
            onnx.helper.make_node("Pad", ["a", "pads"], ["b"]),
            onnx.helper.make_node("MaxPool", ["b"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
        ]
        pads = onnx.numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
        x = onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])
        y = onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        made = onnx.helper.make_graph(nodes, "g", [x], [y], [pads])
        opset = [onnx.helper.make_opsetid("", 17)]
        return onnx.helper.make_model(made, opset_imports=opset, ir_version=8)

    before, after = graph(), graph()
    fold_padding(after.graph)
    assert len(after.graph.node) == (2 if below == "Relu" else 3)
    x = np.random.default_rng(1).normal(size=(1, 2, 8, 8)).astype(np.float32)
    pooled = [
        onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, {"x": x})[0]
        for model in (before, after)
    ]
    assert np.array_equal(*pooled)


def test_weights_overflow_on_no_processor(world) -> None:
    """Two products of an activation and a weight have to fit into sixteen bits."""
    network = onnx.load(world[3].with_name("bundle-int8") / "model.onnx")
    values = [onnx.numpy_helper.to_array(one) for one in network.graph.initializer]
    weights = [value for value in values if value.dtype == np.int8 and value.ndim > 1]
    assert weights
    assert all(2 * 255 * np.abs(value.astype(int)).max() < 2**15 for value in weights)


def test_a_network_without_our_head_is_refused() -> None:
    value = onnx.helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    image = onnx.helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["image"], ["logits"], name="n0")
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [image], [value]))
    with pytest.raises(ExportMismatch, match="pooled head"):
        head_nodes(model)
