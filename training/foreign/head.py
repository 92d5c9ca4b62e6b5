"""Find the head of a network: the last linear layer, and the mean that it takes.

Grad-CAM in closed form is exact where the logits are the mean of a feature map times weights (ADR
0003). A network of another form is served without heat maps, and its bundle says why.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx

from training.foreign.graph import Graph, attribute, axes

Floats = npt.NDArray[np.float64]

_ACTIVATIONS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}
_LINEAR = ("Gemm", "MatMul", "Conv")
_MAXIMA = ("GlobalMaxPool", "ReduceMax")
_RANK = 4
_NCHW, _NHWC = (2, 3), (1, 2)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a network.

    Parameters
    ----------
    activation
        ``softmax`` or ``sigmoid`` if the network ends with it, else "".
    logits
        The tensor before the activation.
    features
        The tensor whose mean the last layer takes. If ``unexplained``, what the layer takes.
    layout
        ``nchw``, ``nhwc``, or ``flat`` for values without places.
    weights, bias
        Of the last layer, shape (k, classes) and (classes,).
    unexplained
        Why there are no heat maps; "" if there are.
    """

    activation: str
    logits: str
    features: str
    layout: str
    weights: Floats
    bias: Floats
    unexplained: str = ""


@dataclass(frozen=True, slots=True)
class _Linear:
    """``output`` = ``source`` x ``weights`` + ``bias``."""

    source: str
    weights: Floats
    bias: Floats


def find_head(graph: Graph, scores: str, classes: int) -> Head:
    """Find the head that ends in an output of the network.

    Parameters
    ----------
    graph
        The network.
    scores
        The output with a value for each class.
    classes
        Number of classes.
    """
    activation, logits = _activation(graph, scores)
    linear = _linear(graph, graph.through(logits, shapes=True))
    if linear is None or linear.weights.shape[1] != classes:
        return _without_linear(graph, activation, logits, classes)
    pooled, folded = _fold(graph, linear)
    features, layout, reason = _pooling(graph, pooled)
    if reason:
        return replace(flat_head(graph, scores, classes), unexplained=reason)
    return Head(activation, logits, features, layout, folded.weights, folded.bias)


def flat_head(graph: Graph, scores: str, classes: int) -> Head:
    """Describe the end of a network without heat maps: what its last linear layer takes."""
    activation, logits = _activation(graph, scores)
    linear = _linear(graph, graph.through(logits, shapes=True))
    if linear is None or linear.weights.shape[1] != classes:
        linear = _Linear(logits, np.eye(classes), np.zeros(classes))
    return Head(activation, logits, linear.source, "flat", linear.weights, linear.bias, "unknown")


def _activation(graph: Graph, scores: str) -> tuple[str, str]:
    tensor = graph.through(scores, shapes=True)
    node = graph.maker(tensor)
    if node is None or node.op_type not in _ACTIVATIONS:
        return "", scores
    return _ACTIVATIONS[node.op_type], node.input[0]


def _linear(graph: Graph, tensor: str) -> _Linear | None:
    """Read the linear layer that makes a tensor; None if it is made otherwise."""
    added: list[Floats] = []
    node = graph.maker(tensor)
    while node is not None and node.op_type == "Add":
        values = [graph.constant(name) for name in node.input]
        at = next((n for n in (1, 0) if values[n] is not None), None)
        if at is None:
            return None
        added.append(np.asarray(values[at], np.float64).ravel())
        node = graph.maker(graph.through(node.input[1 - at], shapes=True))
    if node is None or node.op_type not in _LINEAR:
        return None
    weights = graph.constant(node.input[1])
    layer = None if weights is None else _layer(graph, node, weights.astype(np.float64))
    return None if layer is None else replace(layer, bias=sum(reversed(added), layer.bias))


def _layer(graph: Graph, node: onnx.NodeProto, weights: Floats) -> _Linear | None:
    if node.op_type == "Conv":
        if (
            weights.ndim != _RANK
            or weights.shape[2:] != (1, 1)
            or attribute(node, "group")
            not in (
                None,
                1,
            )
        ):
            return None
        weights = weights[:, :, 0, 0].T
    elif weights.ndim != 2:  # noqa: PLR2004 - a matrix
        return None
    factor, share = 1.0, 1.0
    if node.op_type == "Gemm":
        if attribute(node, "transA"):
            return None
        weights = weights.T if attribute(node, "transB") else weights
        factor = _number(attribute(node, "alpha"))
        share = _number(attribute(node, "beta"))
    bias = np.zeros(weights.shape[1])
    if len(node.input) > 2 and node.input[2]:  # noqa: PLR2004 - the bias is the third input
        given = graph.constant(node.input[2])
        if given is None:
            return None
        bias = bias + share * given.astype(np.float64).ravel()
    return _Linear(node.input[0], factor * weights, bias)


def _number(value: float | None) -> float:
    return 1.0 if value is None else float(value)


def _fold(graph: Graph, linear: _Linear) -> tuple[str, _Linear]:
    """Go back from a linear layer to the pooling; steps that are linear become part of it."""
    tensor, folded = graph.through(linear.source, shapes=True), linear
    while (step := _affine(graph, tensor, len(linear.weights))) is not None:
        source, factor, offset = step
        folded = _Linear(
            source, factor[:, None] * folded.weights, folded.bias + offset @ folded.weights
        )
        tensor = graph.through(source, shapes=True)
    return tensor, folded


def _affine(graph: Graph, tensor: str, channels: int) -> tuple[str, Floats, Floats] | None:
    """Read a step ``source`` x factor + offset, each of shape (channels,); None if it is none."""
    node = graph.maker(tensor)
    if node is None or node.op_type not in ("BatchNormalization", "Mul", "Add", "Sub", "Div"):
        return None
    values = [graph.constant(name) for name in node.input]
    if node.op_type == "BatchNormalization":
        if any(value is None for value in values[1:]):
            return None
        scale, shift, mean, variance = (np.asarray(value, np.float64) for value in values[1:5])
        epsilon = attribute(node, "epsilon")
        factor = scale / np.sqrt(variance + (1e-5 if epsilon is None else epsilon))
        return node.input[0], factor, shift - mean * factor
    at = next((n for n in (1, 0) if values[n] is not None), None)
    if at is None or (at == 0 and node.op_type in ("Sub", "Div")):
        return None
    value = np.asarray(values[at], np.float64).ravel()
    if value.size not in (1, channels):
        return None
    value = np.broadcast_to(value, (channels,))
    ones, nothing = np.ones(channels), np.zeros(channels)
    step = {
        "Mul": (value, nothing),
        "Div": (1 / value, nothing),
        "Add": (ones, value),
        "Sub": (ones, -value),
    }[node.op_type]
    return node.input[1 - at], *step


def _pooling(graph: Graph, tensor: str) -> tuple[str, str, str]:
    """Return the feature map, its layout, and "", or why the tensor is not its mean."""
    node = graph.maker(tensor)
    if node is None:
        return "", "", "the last layer takes the input of the network"
    source = node.input[0]
    if node.op_type == "GlobalAveragePool" or _covers_all(graph, node):
        return source, "nchw", ""
    if node.op_type == "ReduceMean":
        taken = tuple(axes(graph, node) or ())
        shape = graph.shape(source)
        if (shape is None or len(shape) == _RANK) and taken in (_NCHW, _NHWC):
            return source, "nchw" if taken == _NCHW else "nhwc", ""
    return "", "", _reason(graph, node)


def _covers_all(graph: Graph, node: onnx.NodeProto) -> bool:
    """Tell whether an average pooling takes the whole feature map at once."""
    shape = graph.shape(node.input[0])
    return (
        node.op_type == "AveragePool"
        and shape is not None
        and list(shape[2:]) == list(attribute(node, "kernel_shape"))
        and not any(attribute(node, "pads") or ())
    )


def _reason(graph: Graph, node: onnx.NodeProto) -> str:
    """Say in plain words why a network has no heat maps."""
    above = graph.above(node.output[0])
    attention = "Softmax" in above and "MatMul" in above
    if attention:
        return "the network ends in an attention head, not in the mean of a feature map"
    if node.op_type in _MAXIMA:
        return "the last layer takes the maximum of the feature map, not its mean"
    if node.op_type == "Concat":
        return "the last layer takes several poolings at once, not one mean of a feature map"
    if "Normalization" in node.op_type or {"Sqrt", "ReduceMean"} & _near(graph, node):
        return "a normalisation lies between the mean of the feature map and the last layer"
    if {"Gemm", "MatMul"} & _near(graph, node):
        return "two linear layers follow the feature map, with a step between that is not linear"
    return (
        "the last layer takes every place of the feature map by itself, not its mean "
        f"({node.op_type})"
    )


def _near(graph: Graph, node: onnx.NodeProto, steps: int = 4) -> set[str]:
    """Return the operators of the nodes a few steps before a node, and its own."""
    found, last = {node.op_type}, [node]
    for _ in range(steps):
        last = [m for one in last for name in one.input if (m := graph.maker(name)) is not None]
        if any(one.op_type == "Conv" for one in last):
            break
        found |= {one.op_type for one in last}
    return found


def _without_linear(graph: Graph, activation: str, logits: str, classes: int) -> Head:
    """Describe a network without a last linear layer: perhaps the mean of a map for each class."""
    tensor = graph.through(logits, shapes=True)
    features, layout, reason = _pooling(graph, tensor)
    eye, nothing = np.eye(classes), np.zeros(classes)
    if not reason:
        return Head(activation, logits, features, layout, eye, nothing)
    node = graph.maker(tensor)
    ending = node.op_type if node is not None else "its input"
    return Head(
        activation,
        logits,
        logits,
        "flat",
        eye,
        nothing,
        f"the network does not end in a linear layer with a weight for each class ({ending})",
    )
