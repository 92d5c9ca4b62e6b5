import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from pacs_ai.errors import BundleInvalid
from pacs_ai.model import bundle as bundle_module
from pacs_ai.model.bundle import load_bundle

Writer = Callable[..., Path]


def test_a_bundle_says_who_it_is(write_bundle: Writer) -> None:
    folder = write_bundle()
    bundle = load_bundle(folder)
    assert bundle.identity.name == "small"
    assert bundle.identity.input_size == (16, 16)
    assert (
        bundle.identity.sha256 == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    )
    assert [entry.code.value for entry in bundle.identity.classes] == ["NOFIND", "52988006"]
    assert [entry.positive for entry in bundle.identity.classes] == [False, True]
    head = np.load(folder / "head.npy")
    assert np.array_equal(bundle.class_weights, head[:-1].T)
    assert np.array_equal(bundle.bias, head[-1])
    assert bundle.read_network() == (folder / "model.onnx").read_bytes()


def test_a_pin_is_the_hash_of_the_manifest(write_bundle: Writer) -> None:
    folder = write_bundle()
    digest = hashlib.sha256((folder / "model.toml").read_bytes()).hexdigest()
    bundle = load_bundle(folder, sha256=digest.upper())
    assert bundle.manifest_sha256 == bundle.identity.manifest_sha256 == digest
    with pytest.raises(BundleInvalid, match="pins"):
        load_bundle(folder, sha256="0" * 64)


@pytest.mark.parametrize(
    ("band", "fits"),
    [
        ("[0.4, 0.6]", True),
        ("[0.6, 0.7]", False),
        ("[0.6, 0.4]", False),
        ("[0.5, 0.5]", False),
        ("[-0.1, 0.6]", False),
    ],
)
def test_the_undetermined_band_lies_around_the_threshold(
    write_bundle: Writer, band: str, fits: bool
) -> None:
    manifest = write_bundle() / "model.toml"
    head, _, tail = manifest.read_text().rpartition("threshold = 0.5\n")
    manifest.write_text(f"{head}threshold = 0.5\nundetermined = {band}\n{tail}")
    if fits:
        lesion = load_bundle(manifest.parent).identity.classes[1]
        decided = [lesion.decide(p) for p in (0.39, 0.4, 0.59, 0.6)]
        assert decided == ["absent", "undetermined", "undetermined", "present"]
    else:
        with pytest.raises(BundleInvalid, match="undetermined"):
            load_bundle(manifest.parent)


@pytest.mark.parametrize(
    ("value", "said"), [("", 0.1), ("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("-0.1", None)]
)
def test_the_share_above_which_an_analysis_is_incomplete(
    write_bundle: Writer, value: str, said: float | None
) -> None:
    key = f"incomplete_above = {value}\n" if value else ""
    folder = write_bundle(manifest=lambda text: text.replace("[input]", f"{key}\n[input]", 1))
    if said is None:
        with pytest.raises(BundleInvalid, match="incomplete_above"):
            load_bundle(folder)
    else:
        assert load_bundle(folder).identity.incomplete_above == said


@pytest.mark.parametrize("name", ["model.onnx", "head.npy"])
def test_an_altered_file_is_refused(write_bundle: Writer, name: str) -> None:
    folder = write_bundle()
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleInvalid, match=f"{name} does not have the sha256"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "head.npy", "model.toml"])
def test_a_missing_file_is_named(write_bundle: Writer, name: str) -> None:
    folder = write_bundle()
    (folder / name).unlink()
    with pytest.raises(BundleInvalid, match=name):
        load_bundle(folder)


def test_a_network_that_changes_after_loading_is_noticed(write_bundle: Writer) -> None:
    bundle = load_bundle(write_bundle())
    (bundle.folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleInvalid, match="sha256"):
        bundle.read_network()


def test_a_huge_file_is_refused_unread(
    write_bundle: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bundle_module._MAX_BYTES, "model.onnx", 64)
    with pytest.raises(BundleInvalid, match="larger"):
        load_bundle(write_bundle())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "small"', 'name = "small"\ncolour = "red"', "colour"),
        ("temperature = 2.0", "temperature = 0.0", "temperature"),
        ("letterbox-v1", "squeeze-v9", "unknown preprocess"),
        ('["CT"]', '["ct"]', "capitals"),
        ("format = 1", "format = 3", "format"),
        ('activation = "softmax"', 'activation = "magic"', "activation"),
        ("threshold = 0.5", "threshold = 1.5", "threshold"),
        ('"head.npy" =', '"other.npy" =', "sha256 must name"),
        ("format = 1", "format = ", "not TOML"),
    ],
)
def test_a_wrong_manifest_is_refused(write_bundle: Writer, old: str, new: str, said: str) -> None:
    folder = write_bundle(manifest=lambda text: text.replace(old, new))
    with pytest.raises(BundleInvalid, match=said):
        load_bundle(folder)


def test_a_head_of_another_shape_is_refused(write_bundle: Writer) -> None:
    with pytest.raises(BundleInvalid, match="shape"):
        load_bundle(write_bundle(head=np.zeros((5, 3), dtype=np.float32)))


@pytest.mark.parametrize("value", [np.zeros((5, 2)), np.full((5, 2), np.nan, dtype=np.float32)])
def test_a_head_of_other_values_is_refused(write_bundle: Writer, value: np.ndarray) -> None:
    with pytest.raises(BundleInvalid, match="float32"):
        load_bundle(write_bundle(head=value))


def test_a_pickled_head_is_refused(write_bundle: Writer) -> None:
    with pytest.raises(BundleInvalid, match="not an array"):
        load_bundle(write_bundle(head=np.array([[{"a": 1}, 2]], dtype=object)))


def test_data_outside_of_the_file_is_refused(
    write_bundle: Writer, small_network: onnx.ModelProto
) -> None:
    tensor = small_network.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    with pytest.raises(BundleInvalid, match="outside"):
        load_bundle(write_bundle(network=small_network.SerializeToString()))


def test_data_outside_is_found_in_a_nested_graph(
    write_bundle: Writer, small_network: onnx.ModelProto
) -> None:
    tensor = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    inner = onnx.helper.make_graph([], "inner", [], [], [tensor])
    node = onnx.helper.make_node("If", ["c"], ["y"], then_branch=inner)
    small_network.graph.node.append(node)
    with pytest.raises(BundleInvalid, match=r"outside|contains a graph"):
        load_bundle(write_bundle(network=small_network.SerializeToString()))


def test_data_outside_is_found_in_a_constant_and_a_function(
    write_bundle: Writer, small_network: onnx.ModelProto
) -> None:
    tensor = onnx.TensorProto(data_location=onnx.TensorProto.EXTERNAL)
    constant = onnx.helper.make_node("Constant", [], ["c"], value=tensor)
    function = onnx.FunctionProto(name="f", domain="d", node=[constant])
    small_network.functions.append(function)
    with pytest.raises(BundleInvalid, match=r"outside|functions of its own"):
        load_bundle(write_bundle(network=small_network.SerializeToString()))


@pytest.mark.parametrize("content", [b"", b"not a network at all", b"\x3a\xff\xff\x03abc", b"\x80"])
def test_what_is_no_network_is_refused(write_bundle: Writer, content: bytes) -> None:
    with pytest.raises(BundleInvalid):
        load_bundle(write_bundle(network=content))


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(BundleInvalid, match="shipped bundles: demo"):
        load_bundle("no-such-bundle")


NEWER = {
    "aggregation": ('aggregation = "max"', 'aggregation = "top-3-mean"'),
    "input.images": ("max_images = 8", 'max_images = 8\nimages = "central-5"'),
    "unexplained": ("temperature = 2.0", 'temperature = 2.0\nunexplained = "no pooling"'),
}


@pytest.mark.parametrize("key", NEWER)
def test_a_newer_key_needs_the_newer_format(key: str, write_bundle: Writer) -> None:
    folder = write_bundle(manifest=lambda text: text.replace(*NEWER[key]))
    with pytest.raises(BundleInvalid, match=rf"{key}: these need format = 2"):
        load_bundle(folder)
    manifest = folder / "model.toml"
    manifest.write_text(manifest.read_text().replace("format = 1", "format = 2"))
    identity = load_bundle(folder).identity
    said = (identity.aggregation, identity.images, identity.unexplained)
    assert said != ("max", "all", "")
