"""Small networks as other tools write them, built node by node."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, CHANNELS, CLASSES = 32, 6, 3
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


class Builder:
    """Collects nodes and weights; the seed gives the weights."""

    def __init__(self, seed: int = 1, element: int = FLOAT) -> None:
        self.rng = np.random.default_rng(seed)
        self.element = element
        self.nodes: list[onnx.NodeProto] = []
        self.values: list[onnx.TensorProto] = []

    def weight(self, *shape: int, scale: float = 0.5) -> str:
        return self.value(scale * self.rng.standard_normal(shape))

    def value(self, array: np.ndarray, dtype: type | None = None) -> str:
        kind = dtype or helper.tensor_dtype_to_np_dtype(self.element)
        name = f"w{len(self.values)}"
        self.values.append(numpy_helper.from_array(np.asarray(array).astype(kind), name))
        return name

    def add(self, operator: str, *inputs: str, **said: object) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **said))
        return name

    def convolved(self, image: str, colours: int = 3) -> str:
        """Two convolutions with stride 2: (n, 6, 8, 8)."""
        first = self.add("Conv", image, self.weight(4, colours, 3, 3), pads=[1] * 4, strides=[2, 2])
        second = self.add(
            "Conv", self.add("Relu", first), self.weight(CHANNELS, 4, 3, 3),
            pads=[1] * 4, strides=[2, 2],
        )  # fmt: skip
        return self.add("Relu", second)

    def dense(self, pooled: str, taken: int = CHANNELS, given: int = CLASSES) -> str:
        return self.add("Gemm", pooled, self.weight(given, taken), self.weight(given), transB=1)

    def save(
        self,
        path: Path,
        outputs: dict[str, Sequence[object]],
        shape: Sequence[object] = ("n", 3, SIDE, SIDE),
        opset: int = 17,
    ) -> Path:
        """Write the network; ``outputs`` renames nothing: it names tensors and their shapes."""
        graph = helper.make_graph(
            self.nodes,
            "foreign",
            [helper.make_tensor_value_info("image", self.element, list(shape))],
            [helper.make_tensor_value_info(n, self.element, list(s)) for n, s in outputs.items()],
            self.values,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = 8
        onnx.save(model, path)
        return path


ROWS = ("n", CLASSES)


def pooled(path: Path, ending: str = "Softmax", **said: int) -> Path:
    """As torch writes a ResNet: NCHW, GlobalAveragePool, Flatten, Gemm."""
    net = Builder(**said)
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    scores = net.dense(net.add("Dropout", flat))
    if ending:
        scores = net.add(ending, scores)
    return net.save(path, {scores: ROWS})


def reduced(path: Path) -> Path:
    """As Keras writes it: NHWC, ReduceMean, MatMul, Add, Sigmoid; the batch is fixed."""
    net = Builder()
    features = net.convolved(net.add("Transpose", "image", perm=[0, 3, 1, 2]), colours=1)
    features = net.add("Transpose", features, perm=[0, 2, 3, 1])
    mean = net.add("ReduceMean", features, axes=[1, 2], keepdims=1)
    flat = net.add("Reshape", mean, net.value(np.array([1, CHANNELS]), np.int64))
    scores = net.add("MatMul", flat, net.weight(CHANNELS, CLASSES))
    scores = net.add("Sigmoid", net.add("Add", net.weight(CLASSES), scores))
    return net.save(path, {scores: (1, CLASSES)}, (1, SIDE, SIDE, 1))


def convolutional(path: Path) -> Path:
    """A map for each class, and their means: SqueezeNet."""
    net = Builder()
    maps = net.add("Conv", net.convolved("image"), net.weight(CLASSES, CHANNELS, 1, 1))
    scores = net.add("Softmax", net.add("Flatten", net.add("GlobalAveragePool", maps)))
    return net.save(path, {scores: ROWS})


def normalised(path: Path) -> Path:
    """A batch normalisation between the mean and the last layer, a 1 x 1 convolution."""
    net = Builder()
    mean = net.add("GlobalAveragePool", net.convolved("image"))
    scale = net.value(np.linspace(0.5, 2.0, CHANNELS))
    variance = net.value(np.linspace(0.1, 3.0, CHANNELS))
    mean = net.add(
        "BatchNormalization", mean, scale, net.weight(CHANNELS), net.weight(CHANNELS), variance
    )
    scores = net.add("Conv", mean, net.weight(CLASSES, CHANNELS, 1, 1), net.weight(CLASSES))
    return net.save(path, {net.add("Squeeze", scores, net.value([2, 3], np.int64)): ROWS})


def two_layers(path: Path) -> Path:
    net = Builder()
    mean = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    hidden = net.add("Relu", net.dense(mean, given=5))
    return net.save(path, {net.add("Softmax", net.dense(hidden, taken=5)): ROWS})


def flattened(path: Path) -> Path:
    net = Builder()
    flat = net.add("Flatten", net.convolved("image"))
    return net.save(path, {net.add("Softmax", net.dense(flat, taken=CHANNELS * 64)): ROWS})


def maximum(path: Path) -> Path:
    net = Builder()
    flat = net.add("Flatten", net.add("GlobalMaxPool", net.convolved("image")))
    return net.save(path, {net.add("Softmax", net.dense(flat)): ROWS})


def layer_norm(path: Path) -> Path:
    """ConvNeXt: a layer normalisation after the mean."""
    net = Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    flat = net.add("LayerNormalization", flat, net.weight(CHANNELS), net.weight(CHANNELS), axis=-1)
    return net.save(path, {net.add("Softmax", net.dense(flat)): ROWS})


def attention(path: Path) -> Path:
    """A vision transformer: the last layer takes the first of 64 tokens after attention."""
    net = Builder()
    tokens = net.add(
        "Reshape", net.convolved("image"), net.value(np.array([0, CHANNELS, 64]), np.int64)
    )
    tokens = net.add("Transpose", tokens, perm=[0, 2, 1])
    query, key, value = (net.add("MatMul", tokens, net.weight(CHANNELS, CHANNELS)) for _ in "qkv")
    match = net.add("Softmax", net.add("MatMul", query, net.add("Transpose", key, perm=[0, 2, 1])))
    tokens = net.add("Add", tokens, net.add("MatMul", match, value))
    first = net.add("Gather", tokens, net.value(np.array(0), np.int64), axis=1)
    return net.save(path, {net.add("Softmax", net.dense(first)): ROWS})


def two_outputs(path: Path) -> Path:
    """Two outputs of the same shape; the second is the first with other weights."""
    net = Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    return net.save(path, {net.dense(flat): ROWS, net.dense(flat): ROWS})
