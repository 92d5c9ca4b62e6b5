"""Make a network smaller: half precision, or eight bits with ranges from calibration images.

The head and its input stay in float32 in both. So the features are exactly those that give the
logits, and Grad-CAM in closed form stays exact (ADR 0003).
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.network import LOGITS

Floats = npt.NDArray[np.float32]

_ERRORS_ONLY = 3
_POOLS = ("GlobalAveragePool", "ReduceMean")


def head_nodes(model: onnx.ModelProto) -> list[str]:
    """Name the nodes above the last feature map: pooling, dense layer, and the features' output.

    What joins several maps to the last one is among them.

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
    if (below := makers.get(pooled)) is not None and below.op_type == "Concat":
        found.append(below.name)  # its parts have ranges of their own
    outputs = {output.name for output in model.graph.output}
    beside = [n.name for n in model.graph.node if pooled in n.input and outputs & set(n.output)]
    return [*found, *(name for name in beside if name not in found)]


def to_float16(network: bytes) -> bytes:
    """Use half precision for all nodes below the head; inputs and outputs stay float32."""
    model = onnx.load_from_string(network)
    graph, head = model.graph, set(head_nodes(model))
    above = [node for node in graph.node if node.name in head]
    below = [node for node in graph.node if node.name not in head]
    made = {name for node in below for name in node.output}
    maps = [name for node in above for name in node.input if name in made]
    image = graph.input[0].name
    renamed = {name: f"{name}_half" for name in (image, *maps)}
    for node in below:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    _halve(graph, {name for node in below for name in node.input})
    enter = helper.make_node("Cast", [image], [renamed[image]], "enter", to=TensorProto.FLOAT16)
    leave = [
        helper.make_node("Cast", [renamed[name]], [name], f"leave_{name}", to=TensorProto.FLOAT)
        for name in dict.fromkeys(maps)
    ]
    del graph.node[:]
    graph.node.extend([enter, *below, *leave, *above])
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _halve(graph: onnx.GraphProto, used: set[str]) -> None:
    """Convert the weights of some nodes to half precision; values too large are clipped."""
    largest = np.finfo(np.float16).max
    for tensor in graph.initializer:
        if tensor.name in used and tensor.data_type == TensorProto.FLOAT:
            values = np.clip(numpy_helper.to_array(tensor), -largest, largest)
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))


@dataclass(frozen=True, slots=True)
class Ranges:
    """How the ranges of eight bits are chosen.

    With ``averaged``, smallest and largest value of a layer are means over the calibration images
    instead of the extremes of all. With ``spare_ends``, the first and the last convolution stay in
    float32.
    """

    averaged: bool = False
    spare_ends: bool = False

    def __str__(self) -> str:
        ranges = "mean ranges" if self.averaged else "full ranges"
        return ranges + (", first and last convolution in float32" if self.spare_ends else "")


RANGES = tuple(Ranges(averaged, ends) for ends in (False, True) for averaged in (False, True))
"""All choices, the fastest network first."""


def to_int8(network: bytes, images: Floats, ranges: Ranges = RANGES[0]) -> bytes:
    """Use eight bits below the head: symmetric weights by channel, ranges from images.

    Activations are unsigned, because the instructions of x86 processors (VNNI) multiply unsigned
    by signed numbers; a kernel for two signed ones takes twice the time. Weights use seven of their
    eight bits: processors without VNNI add two products in sixteen bits, where larger weights would
    overflow, so that a network would say something else there.

    Parameters
    ----------
    network
        The content of the ONNX file.
    images
        Inputs of the network, from which the range of each layer is taken, shape (n, h, w, c).
    ranges
        How the ranges are chosen.

    Notes
    -----
    Jacob et al., Quantization and training of neural networks for efficient inference, 2018.
    """
    model = fuse(network)
    fold_padding(model.graph)
    spared = _ends(model) if ranges.spare_ends else []
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
                nodes_to_exclude=[*head_nodes(model), *spared],
                per_channel=True,
                reduce_range=True,
                weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8,
                extra_options={
                    "ActivationSymmetric": False,
                    "WeightSymmetric": True,
                    "CalibMovingAverage": ranges.averaged,
                },
            )
        finally:
            root.setLevel(level)
        return target.read_bytes()


def fuse(network: bytes) -> onnx.ModelProto:
    """Let ONNX Runtime fold constants, and batch normalisations into their convolutions.

    It does so by itself when it loads a network, but not where roundings lie between them.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "fused.onnx"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(target)
        onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
        model = onnx.load(target)
    _drop_unused(model.graph)
    for number, node in enumerate(model.graph.node):
        node.name = f"n{number}"  # nodes of imported networks may have no names, or the same
    used = {node.domain for node in model.graph.node}
    kept = [one for one in model.opset_import if one.domain in used]  # it names all that it knows
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Drop nodes that no output needs, such as the Softmax that an import has taken off.

    With eight bits such a node would have the logits rounded, which it takes as its input.
    """
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)


def fold_padding(graph: onnx.GraphProto) -> None:
    """Let a max pooling pad by itself where zeros are padded to values that are not negative.

    The result is the same: a zero is never above such a value. A padding of its own is computed in
    float32 and takes a quarter of the time of a ResNet50 of eight bits.
    """
    makers = {name: node for node in graph.node for name in node.output}
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for pool in [node for node in graph.node if node.op_type == "MaxPool"]:
        pad = makers.get(pool.input[0])
        pads = None if pad is None else _zeros_padded(pad, makers, values)
        users = [node for node in graph.node if pad is not None and pad.output[0] in node.input]
        if pad is None or pads is None or len(users) > 1:
            continue
        ends = len(pads) // 2
        kept = [each for each in pool.attribute if each.name not in ("pads", "auto_pad")]
        own = next((list(each.ints) for each in pool.attribute if each.name == "pads"), [0] * 4)
        outer = [*pads[2:ends], *pads[ends + 2 :]]
        del pool.attribute[:]
        pool.attribute.extend(kept)
        total = [a + b for a, b in zip(own, outer, strict=True)]
        pool.attribute.append(helper.make_attribute("pads", total))
        pool.input[0] = pad.input[0]
        graph.node.remove(pad)


def _zeros_padded(
    pad: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto], values: Mapping[str, Floats]
) -> list[int] | None:
    """Return how many zeros a node pads (n, c, h, w) with, where that can be folded, else None."""
    below = makers.get(pad.input[0]) if pad.op_type == "Pad" else None
    constant = len(pad.input) < 3 or not pad.input[2] or not values.get(pad.input[2], 1)  # noqa: PLR2004
    mode = next((each.s for each in pad.attribute if each.name == "mode"), b"constant")
    if below is None or below.op_type != "Relu" or not constant or mode != b"constant":
        return None
    pads = [int(each) for each in values.get(pad.input[1], [])]
    inner = pads[:2] + pads[4:6]
    return pads if len(pads) == 8 and not any(inner) and min(pads) >= 0 else None  # noqa: PLR2004


def _ends(model: onnx.ModelProto) -> list[str]:
    names = [node.name for node in model.graph.node if node.op_type == "Conv"]
    return [*names[:1], *names[-1:]]


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives calibration images one by one."""

    def __init__(self, images: Floats, name: str) -> None:
        self._left: Iterator[dict[str, Floats]] = iter(
            [{name: images[i : i + 1]} for i in range(len(images))]
        )

    def get_next(self) -> dict[str, Floats] | None:
        """Return the next image, None after the last."""
        return next(self._left, None)
