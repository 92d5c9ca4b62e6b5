"""Convert a Keras network to ONNX: the same weights give the same bytes."""

import keras
import onnx
import tensorflow as tf
import tf2onnx

from pacs_ai.model.network import FEATURES, LOGITS
from training.networks.head import split_head

_OPSET = 17
_IR_VERSION = 8


def to_onnx(model: keras.Model) -> bytes:
    """Convert a network to ONNX with outputs ``logits`` and ``features`` (n, h, w, k).

    The converter numbers names over the whole process and writes its version; both are replaced,
    so that the same weights give the same bytes.

    Raises
    ------
    ExportMismatch
        If the head does not allow closed-form Grad-CAM.
    """
    features, _ = split_head(model)
    with_features = keras.Model(model.input, [model.output, features])
    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    proto, _ = tf2onnx.convert.from_keras(with_features, input_signature=(signature,), opset=_OPSET)
    network: bytes = _canonical(proto).SerializeToString(deterministic=True)
    return network


def _canonical(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Name everything by its place in the graph, and remove the name of the converter."""
    graph = proto.graph
    nodes = in_order(graph)
    del graph.node[:]
    graph.node.extend(nodes)
    names = {tensor.name: "image" for tensor in graph.input}
    names |= dict(zip([tensor.name for tensor in graph.output], (LOGITS, FEATURES), strict=True))
    for node in graph.node:
        for name in (*node.input, *node.output):
            names.setdefault(name, f"t{len(names)}" if name else "")
    for index, node in enumerate(graph.node):
        node.name, node.doc_string = f"n{index}", ""
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for tensor in (*graph.input, *graph.output, *graph.initializer):
        tensor.name = names[tensor.name]
    for tensor in (*graph.input, *graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    weights = sorted(graph.initializer, key=lambda tensor: int(tensor.name[1:]))
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(weights)
    graph.name, graph.doc_string = "classifier", ""
    whole = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", _OPSET)])
    whole.ir_version = _IR_VERSION
    onnx.checker.check_model(whole, full_check=True)
    return whole


def in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Put each node after those that it needs, as the outputs and inputs name them.

    The converter leaves the order of branches to the hashes of names, which differ from one process
    to the next.
    """
    makers = {name: node for node in graph.node for name in node.output}
    ordered: dict[str, onnx.NodeProto] = {}
    waiting = [tensor.name for tensor in reversed(graph.output)]
    while waiting:
        node = makers.get(waiting[-1])
        if node is None or node.output[0] in ordered:
            waiting.pop()
            continue
        needed = [makers[name] for name in node.input if name in makers]
        before = [each.output[0] for each in needed if each.output[0] not in ordered]
        if not before:
            ordered[node.output[0]] = node
        waiting.extend(reversed(before))
    return list(ordered.values())
