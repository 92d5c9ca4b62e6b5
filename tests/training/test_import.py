"""A network of another tool becomes a bundle that computes the same, and says what it cannot do."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from pacs_ai.errors import BundleInvalid, ConfigError, PacsAIError
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.predict import Classifier, activate
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.runtime import Runtime
from tests.training import foreign_networks as nets
from training.foreign.importing import Imported, import_network
from training.foreign.settings import Said

pytestmark = pytest.mark.train

RGB, GREY = "stretch-imagenet-rgb-v1", "letterbox-v1"


def said(**values: object) -> Said:
    given = {"labels": "normal,mass,nodule", "preprocess": RGB, "name": "foreign"}
    return Said(**{**given, "modalities": ("DX",), **values})  # type: ignore[arg-type]


def made(network: Path, **values: object) -> Imported:
    return import_network(network, said(**values), network.with_suffix(""), lambda _: None)


def pixels() -> np.ndarray:
    return np.random.default_rng(7).random((40, 50), dtype=np.float32)


def given_scores(network: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    if taken.shape[1] in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    half = taken.type == "tensor(float16)"
    return session.run(None, {taken.name: x.astype(np.float16 if half else np.float32)})[0][0]


@pytest.mark.parametrize(
    ("build", "values"),
    [
        (nets.pooled, {}),
        (nets.reduced, {"preprocess": GREY}),
        (nets.convolutional, {}),
        (nets.normalised, {"activation": "softmax"}),
    ],
)
def test_heat_maps_are_found_and_the_values_are_those_of_the_network(
    build, values, tmp_path: Path
) -> None:
    network = build(tmp_path / "net.onnx")
    found = made(network, **values)
    bundle = load_bundle(found.bundle)
    assert (found.unexplained, bundle.identity.unexplained) == ("", "")
    classifier = Classifier.load(bundle)
    served = classifier.predict_image(pixels())
    wanted = given_scores(network, preprocess(pixels(), bundle.input))
    if "activation" in values:
        wanted = activate(wanted, "softmax", 1.0)
    assert list(served.probabilities) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert served.saliency[0].max() == 0, "a class that is no finding is not explained"
    assert max(served.saliency[k].max() for k in (1, 2)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (nets.two_layers, "two linear layers"),
        (nets.flattened, "every place of the feature map by itself"),
        (nets.maximum, "maximum of the feature map"),
        (nets.layer_norm, "normalisation lies between"),
        (nets.attention, "attention head"),
    ],
)
def test_where_heat_maps_are_impossible_the_bundle_says_why(
    build, reason: str, tmp_path: Path
) -> None:
    network = build(tmp_path / "net.onnx")
    found = made(network)
    assert reason in found.unexplained
    bundle = load_bundle(found.bundle)
    served = Classifier.load(bundle).predict_image(pixels())
    wanted = given_scores(network, preprocess(pixels(), bundle.input))
    assert list(served.probabilities) == pytest.approx(wanted.tolist(), abs=1e-5)
    assert all(served.saliency[k].max() == 0 for k in range(3))
    assert reason in (found.bundle / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_half_precision_is_taken_and_its_head_computed_in_float32(tmp_path: Path) -> None:
    network = nets.pooled(tmp_path / "net.onnx", element=nets.HALF)
    found = made(network)
    bundle = load_bundle(found.bundle)
    assert (found.unexplained, bundle.precision) == ("", "fp16")
    served = Classifier.load(bundle).predict_image(pixels()).probabilities
    wanted = given_scores(network, preprocess(pixels(), bundle.input))
    assert list(served) == pytest.approx(wanted.tolist(), abs=5e-3)


def test_an_old_operator_set_is_converted(tmp_path: Path) -> None:
    net = nets.Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    network = net.save(tmp_path / "net.onnx", {net.dense(flat): nets.ROWS}, opset=11)
    assert made(network, activation="sigmoid").unexplained == ""


def test_weights_beside_the_file_come_into_the_bundle(tmp_path: Path) -> None:
    model = onnx.load(nets.pooled(tmp_path / "net.onnx"))
    network = tmp_path / "outside.onnx"
    onnx.save(model, network, save_as_external_data=True, location="w.data", size_threshold=0)
    found = made(network)
    (tmp_path / "w.data").unlink()
    Classifier.load(load_bundle(found.bundle)).predict_image(pixels())


def test_the_output_and_the_size_are_chosen(tmp_path: Path) -> None:
    network = nets.two_outputs(tmp_path / "net.onnx")
    with pytest.raises(ConfigError, match=r"2 outputs can have .* --scores"):
        made(network, activation="sigmoid")
    name = onnx.load(network).graph.output[1].name
    assert made(network, activation="sigmoid", scores=name).activation == "sigmoid"
    net = nets.Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    open_size = net.save(tmp_path / "open.onnx", {net.dense(flat): nets.ROWS}, ("n", 3, "h", "w"))
    with pytest.raises(ConfigError, match="--size"):
        made(open_size, activation="sigmoid")
    found = made(open_size, activation="sigmoid", size=(48, 64))
    spec = load_bundle(found.bundle).input
    assert (spec.height, spec.width) == (48, 64)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({}, "does not end with an activation"),
        ({"activation": "softmax", "labels": "a,b"}, "0 outputs can have a value for each of 2"),
        ({"activation": "softmax", "preprocess": "squeeze"}, "unknown 'squeeze'"),
        ({"activation": "softmax", "preprocess": GREY}, "letterbox-rgb-v1"),
        ({"activation": "softmax", "modalities": ()}, "--modality"),
        ({"activation": "softmax", "negative": ("cyst",)}, "no class cyst"),
        ({"activation": "softmax", "aggregation": "median"}, "aggregation"),
        ({"activation": "softmax", "labels": "a,a,b"}, "must be different"),
    ],
)
def test_what_is_not_said_or_does_not_fit_is_named(values, match: str, tmp_path: Path) -> None:
    network = nets.pooled(tmp_path / "net.onnx", ending="")
    with pytest.raises(PacsAIError, match=match):
        made(network, **values)
    assert not list(tmp_path.glob("*.draft"))
    assert not (tmp_path / "net").exists()


def test_a_contradicted_activation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ends with softmax"):
        made(nets.pooled(tmp_path / "net.onnx"), activation="sigmoid")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 100, b"\x3a\x02\x12\x00"])
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    for name in ("net.onnx", "net.keras"):
        network = tmp_path / name
        network.write_bytes(content)
        with pytest.raises((BundleInvalid, ConfigError)):
            made(network)


def test_an_operator_of_another_domain_is_refused(tmp_path: Path) -> None:
    model = onnx.load(nets.pooled(tmp_path / "net.onnx"))
    model.graph.node[0].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(BundleInvalid, match=r"domain 'com\.example'"):
        made(tmp_path / "net.onnx")


def test_mean_and_deviation_of_a_file_go_into_the_network(tmp_path: Path) -> None:
    network = nets.pooled(tmp_path / "net.onnx")
    steps = tmp_path / "steps.toml"
    steps.write_text(
        'resize = "stretch"\nmean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.4]\n'
        'modalities = ["CT"]\nimages = "central-3"\n[applicability]\nbody_parts = ["CHEST"]\n'
    )
    bundle = load_bundle(made(network, preprocess=str(steps), modalities=()).bundle)
    assert (bundle.input.preprocess, bundle.input.images) == ("stretch-unit-rgb-v1", "central-3")
    assert bundle.applicability.body_parts == ("CHEST",)
    x = preprocess(pixels(), bundle.input)
    wanted = given_scores(network, (x - [0.4, 0.5, 0.6]) / [0.2, 0.3, 0.4])
    served = Classifier.load(bundle).predict_image(pixels()).probabilities
    assert list(served) == pytest.approx(wanted.tolist(), abs=1e-5)


def test_labels_come_from_text_csv_and_json(tmp_path: Path) -> None:
    network = nets.pooled(tmp_path / "net.onnx")
    names = ("normal", "mass", "nodule")
    (tmp_path / "l.txt").write_text("\n".join(names))
    (tmp_path / "l.json").write_text(json.dumps({str(k): n for k, n in enumerate(names)}))
    (tmp_path / "l.csv").write_text(
        "name,code,scheme,meaning,positive,threshold\nnormal,,,,no,\n"
        "mass,4147007,SCT,Mass,yes,0.3\nnodule,27925004,SCT,Nodule,yes,0.4\n"
    )
    for file in ("l.txt", "l.json", "l.csv"):
        found = made(network, labels=str(tmp_path / file))
        classes = load_bundle(found.bundle).identity.classes
        assert tuple(one.name for one in classes) == names
        assert [one.positive for one in classes] == [False, True, True]
    assert [one.code.value for one in classes[1:]] == ["4147007", "27925004"]
    assert [one.threshold for one in classes] == [0.5, 0.3, 0.4]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_the_exact_gelu_of_keras_is_taken(dtype: str, tmp_path: Path) -> None:
    """TensorFlow computes it by an operator that ONNX has not."""
    keras = pytest.importorskip("keras")

    keras.utils.set_random_seed(5)
    image = keras.Input((nets.SIDE, nets.SIDE, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, activation="gelu", dtype=dtype)(image)
    x = keras.layers.Conv2D(4, 3, activation="gelu", dtype=dtype)(x)
    x = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    model = keras.Model(image, keras.layers.Dense(3, dtype="float32", activation="softmax")(x))
    model.save(tmp_path / "net.keras")
    found = made(tmp_path / "net.keras", preprocess="stretch-rgb-v1")
    assert found.unexplained == ""
    bundle = load_bundle(found.bundle)
    x = preprocess(pixels(), bundle.input)
    logits, _ = Runtime(bundle).predict(x)
    near = 1e-5 if dtype == "float32" else 2e-3
    assert activate(logits, "softmax", 1.0)[0] == pytest.approx(model(x).numpy()[0], abs=near)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_heat_map_is_the_gradient_of_the_keras_network(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    import tensorflow as tf  # noqa: PLC0415 - heavy

    keras.utils.set_random_seed(5)
    base = keras.applications.MobileNetV2(
        (nets.SIDE, nets.SIDE, 3), alpha=0.35, include_top=False, weights=None
    )
    mean = keras.layers.GlobalAveragePooling2D()(base.output)
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Dropout(0.2)(mean))
    model = keras.Model(base.input, scores)
    model.save(tmp_path / "net.keras")
    found = made(tmp_path / "net.keras", preprocess="stretch-rgb-v1")
    assert found.unexplained == ""
    bundle = load_bundle(found.bundle)
    x = preprocess(pixels(), bundle.input)
    logits, features = Runtime(bundle).predict(x)
    assert activate(logits, "softmax", 1.0)[0] == pytest.approx(model(x).numpy()[0], abs=1e-5)
    inner = keras.Model(base.input, [base.output, mean])
    with tf.GradientTape() as tape:
        maps, _ = inner(x)
        tape.watch(maps)
        pooled = tf.reduce_mean(maps, (1, 2))
        logit = (pooled @ model.layers[-1].kernel + model.layers[-1].bias)[0, 1]
    weights = tf.reduce_mean(tape.gradient(logit, maps), (1, 2))[0].numpy()
    wanted = np.maximum(maps[0].numpy() @ weights, 0)
    drawn = gradcam(features[0], bundle.class_weights[1])
    assert drawn == pytest.approx(wanted / max(wanted.max(), 1e-12), abs=1e-3)
