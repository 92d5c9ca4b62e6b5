"""Small bundles, made without TensorFlow."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

CLASSES, CHANNELS, SIDE = 2, 4, 16

MANIFEST = """\
format = 1
name = "small"
version = "1"
manufacturer = "tests"
description = ""
activation = "softmax"
aggregation = "max"
temperature = 2.0

[input]
height = {side}
width = {side}
preprocess = "letterbox-v1"
modalities = ["CT"]
max_images = 8

[[classes]]
name = "no finding"
positive = false
threshold = 0.5
code = {{ value = "NOFIND", scheme = "99PACSAI", meaning = "No finding" }}

[[classes]]
name = "lesion"
positive = true
threshold = 0.5
code = {{ value = "52988006", scheme = "SCT", meaning = "Lesion" }}

[sha256]
"model.onnx" = "{onnx}"
"head.npy" = "{head}"
"""


def head_of(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((CHANNELS + 1, CLASSES)).astype(np.float32)


def network_of(head: np.ndarray, logits: str = "logits") -> onnx.ModelProto:
    """One 1 x 1 convolution, ReLU, mean, dense: features (n, h, w, k) and logits."""
    rng = np.random.default_rng(5)
    kernel = rng.standard_normal((CHANNELS, 1, 1, 1)).astype(np.float32)
    weights = {"kernel": kernel, "w": head[:-1], "b": head[-1]}
    nodes = [
        helper.make_node("Transpose", ["image"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "kernel"], ["raw"]),
        helper.make_node("Relu", ["raw"], ["active"]),
        helper.make_node("Transpose", ["active"], ["features"], perm=[0, 2, 3, 1]),
        helper.make_node("GlobalAveragePool", ["active"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], [logits]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", SIDE, SIDE, 1])],
        [
            helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["n", CLASSES]),
            helper.make_tensor_value_info(
                "features", TensorProto.FLOAT, ["n", SIDE, SIDE, CHANNELS]
            ),
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


BundleWriter = Callable[..., Path]


@pytest.fixture
def write_bundle(tmp_path: Path) -> BundleWriter:
    """Write a bundle; ``network`` and ``head`` replace its parts, ``manifest`` edits its text."""

    def write(
        network: bytes | None = None,
        head: np.ndarray | None = None,
        manifest: Callable[[str], str] = str,
    ) -> Path:
        folder = tmp_path / "bundle"
        folder.mkdir()
        head = head_of() if head is None else head
        content = network_of(head_of()).SerializeToString() if network is None else network
        (folder / "model.onnx").write_bytes(content)
        np.save(folder / "head.npy", head)
        hashes = {
            "onnx": hashlib.sha256(content).hexdigest(),
            "head": hashlib.sha256((folder / "head.npy").read_bytes()).hexdigest(),
        }
        text = manifest(MANIFEST.format(side=SIDE, **hashes))
        (folder / "model.toml").write_text(text, encoding="utf-8")
        return folder

    return write


@pytest.fixture
def small_network() -> onnx.ModelProto:
    return network_of(head_of())


@pytest.fixture
def misnamed_network() -> bytes:
    return network_of(head_of(), logits="scores").SerializeToString()
