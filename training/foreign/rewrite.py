"""Give a foreign network the inputs and outputs of a bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pacs_ai.model.network import FEATURES, LOGITS
from training.foreign.graph import Graph
from training.foreign.head import Head

IMAGE = "image"
PREFIX = "given/"
"""What the tensors of the given network are called with, so that no name is taken twice."""

_WHOLE_NUMBERS = (TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64)
_IR_VERSION = 8
_TO_NHWC, _TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network takes.

    Parameters
    ----------
    name, element
        Of its input; the element as `onnx.TensorProto` numbers it.
    layout
        ``nchw`` or ``nhwc``.
    height, width, channels
        Size of the input.
    mean, std
        Are subtracted and divided by, for each channel, before the network; () for none.
    """

    name: str
    element: int
    layout: str
    height: int
    width: int
    channels: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def rewritten(model: onnx.ModelProto, taken: NetworkInput, head: Head, graph: Graph) -> bytes:
    """Write a network with input ``image`` and outputs ``logits`` and ``features``.

    Parameters
    ----------
    model
        The network, its tensors named with `PREFIX`.
    taken
        What it takes.
    head
        Its end.

    Notes
    -----
    The nodes of the network stay as they are. Where its last layer computes in another type than
    float32, that layer is computed once more in float32, so that the logits are exactly those of
    the features.
    """
    classes = head.weights.shape[1]
    parts = _Parts()
    parts.enter(taken)
    parts.leave_features(head)
    if graph.element(head.logits) in (0, TensorProto.FLOAT):
        parts.reshape(head.logits, LOGITS, [-1, classes])
    else:
        parts.own_head(head)
    whole = helper.make_graph(
        [*parts.first, *model.graph.node, *parts.last],
        "classifier",
        [_info(IMAGE, ["n", taken.height, taken.width, taken.channels])],
        [_info(LOGITS, ["n", classes]), _info(FEATURES, ["n", None, None, len(head.weights)])],
        [*model.graph.initializer, *parts.values],
        sparse_initializer=model.graph.sparse_initializer,
    )
    made = helper.make_model(whole, opset_imports=_used(model))
    made.ir_version = max(_IR_VERSION, min(model.ir_version, 10))
    return bytes(made.SerializeToString(deterministic=True))


class _Parts:
    """Nodes before and after the given ones, and their constants."""

    def __init__(self) -> None:
        self.first: list[onnx.NodeProto] = []
        self.last: list[onnx.NodeProto] = []
        self.values: list[onnx.TensorProto] = []

    def enter(self, taken: NetworkInput) -> None:
        """Go from ``image`` to the input of the given network."""
        steps: list[tuple[str, list[str], dict[str, Any]]] = []
        for operator, each in (("Sub", taken.mean), ("Div", taken.std)):
            if each:
                steps.append((operator, [self._value(np.array(each, np.float32))], {}))
        if taken.layout == "nchw":
            steps.append(("Transpose", [], {"perm": _TO_NCHW}))
        if taken.element in _WHOLE_NUMBERS:
            steps.append(("Round", [], {}))
        if taken.element != TensorProto.FLOAT:
            steps.append(("Cast", [], {"to": taken.element}))
        tensor = IMAGE
        for number, (operator, more, said) in enumerate(steps or [("Identity", [], {})]):
            last = number == max(0, len(steps) - 1)
            made = taken.name if last else f"enter/{number}"
            self.first.append(helper.make_node(operator, [tensor, *more], [made], **said))
            tensor = made

    def leave_features(self, head: Head) -> None:
        """Give the feature map as float32, shape (n, h, w, k)."""
        tensor = self._cast(head.features, "leave/features")
        if head.layout == "flat":
            self.reshape(tensor, FEATURES, [-1, 1, 1, len(head.weights)], cast=False)
        elif head.layout == "nchw":
            self.last.append(helper.make_node("Transpose", [tensor], [FEATURES], perm=_TO_NHWC))
        else:
            self.last.append(helper.make_node("Identity", [tensor], [FEATURES]))

    def own_head(self, head: Head) -> None:
        """Compute the logits from the features in float32."""
        weights, bias = (self._value(v.astype(np.float32)) for v in (head.weights, head.bias))
        self.last += [
            helper.make_node("Transpose", [FEATURES], ["leave/map"], perm=_TO_NCHW),
            helper.make_node("GlobalAveragePool", ["leave/map"], ["leave/mean"]),
            helper.make_node("Flatten", ["leave/mean"], ["leave/flat"]),
            helper.make_node("Gemm", ["leave/flat", weights, bias], [LOGITS]),
        ]

    def reshape(self, tensor: str, to: str, shape: Sequence[int], *, cast: bool = True) -> None:
        """Give a tensor a shape, as float32."""
        tensor = self._cast(tensor, f"leave/{to}") if cast else tensor
        value = self._value(np.array(shape, np.int64))
        self.last.append(helper.make_node("Reshape", [tensor, value], [to]))

    def _cast(self, tensor: str, to: str) -> str:
        self.last.append(helper.make_node("Cast", [tensor], [to], to=TensorProto.FLOAT))
        return to

    def _value(self, value: np.ndarray) -> str:
        name = f"value/{len(self.values)}"
        self.values.append(numpy_helper.from_array(value, name))
        return name


def _info(name: str, shape: Sequence[str | int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _used(model: onnx.ModelProto) -> list[onnx.OperatorSetIdProto]:
    """Keep the operator sets that nodes use: others are refused when the bundle is loaded."""
    domains = {node.domain for node in model.graph.node} | {""}
    return [one for one in model.opset_import if one.domain in domains]
