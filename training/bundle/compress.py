"""Make a network smaller: half precision, or eight bits with ranges from calibration images.

The head and its input stay in float32 in both. So the features are exactly those that give the
logits, and Grad-CAM in closed form stays exact (ADR 0003).
"""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.network import LOGITS

Floats = npt.NDArray[np.float32]

_POOLS = ("GlobalAveragePool", "ReduceMean")


def head_nodes(model: onnx.ModelProto) -> list[str]:
    """Name the nodes above the last feature map: pooling, dense layer, and the features' output.

    Raises
    ------
    ExportMismatch
        If the logits are not computed from a mean over features.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    found, node = [], makers.get(LOGITS)
    while node is not None:
        found.append(node.name)
        if node.op_type in _POOLS:
            break
        node = next((makers[name] for name in node.input if name in makers), None)
    if node is None:
        raise ExportMismatch("the network has no pooled head: it was not exported by pacs-ai")
    pooled = node.input[0]
    outputs = {output.name for output in model.graph.output}
    beside = [n.name for n in model.graph.node if pooled in n.input and outputs & set(n.output)]
    return [*found, *(name for name in beside if name not in found)]


def to_float16(network: bytes, _: Floats) -> bytes:
    """Use half precision for all nodes below the head; inputs and outputs stay float32."""
    model = onnx.load_from_string(network)
    graph, head = model.graph, set(head_nodes(model))
    above = [node for node in graph.node if node.name in head]
    below = [node for node in graph.node if node.name not in head]
    made = {name for node in below for name in node.output}
    features = next(name for node in above for name in node.input if name in made)
    image = graph.input[0].name
    renamed = {image: f"{image}_half", features: f"{features}_half"}
    for node in below:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    _halve(graph, {name for node in below for name in node.input})
    enter = helper.make_node("Cast", [image], [renamed[image]], "enter", to=TensorProto.FLOAT16)
    leave = helper.make_node("Cast", [renamed[features]], [features], "leave", to=TensorProto.FLOAT)
    del graph.node[:]
    graph.node.extend([enter, *below, leave, *above])
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _halve(graph: onnx.GraphProto, used: set[str]) -> None:
    """Convert the weights of some nodes to half precision; values too large are clipped."""
    largest = np.finfo(np.float16).max
    for tensor in graph.initializer:
        if tensor.name in used and tensor.data_type == TensorProto.FLOAT:
            values = np.clip(numpy_helper.to_array(tensor), -largest, largest)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))


def to_int8(network: bytes, images: Floats) -> bytes:
    """Use eight bits for convolutions: symmetric weights by channel, ranges from images.

    Parameters
    ----------
    network
        The content of the ONNX file.
    images
        Inputs of the network, from which the range of each layer is taken, shape (n, h, w, c).

    Notes
    -----
    Jacob et al., Quantization and training of neural networks for efficient inference, 2018.
    """
    model = onnx.load_from_string(network)
    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        root.setLevel(logging.ERROR)  # hides advice on a step that the converter has done
        try:
            quantize_static(
                model,
                target,
                _Reader(images, model.graph.input[0].name),
                nodes_to_exclude=head_nodes(model),
                per_channel=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )
        finally:
            root.setLevel(level)
        return target.read_bytes()


COMPRESSIONS: Mapping[str, Callable[[bytes, Floats], bytes]] = {
    "fp16": to_float16,
    "int8": to_int8,
}
"""Compressions by name: from a network and calibration images to a smaller network."""


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives calibration images one by one."""

    def __init__(self, images: Floats, name: str) -> None:
        self._left: Iterator[dict[str, Floats]] = iter(
            [{name: images[i : i + 1]} for i in range(len(images))]
        )

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next image, None after the last."""
        return next(self._left, None)
