"""Convert a Keras file to ONNX."""

from pathlib import Path

import keras
import onnx
import tensorflow as tf
import tf2onnx
from onnx import TensorProto, helper

from pacs_ai.errors import BundleInvalid

_OPSET = 17


def keras_to_onnx(path: Path) -> onnx.ModelProto:
    """Load a Keras network and convert it.

    Raises
    ------
    BundleInvalid
        If the file cannot be loaded without running code that it brings, or not be converted.
    """
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras raises of a file
        raise BundleInvalid(
            f"{path} cannot be loaded ({type(error).__name__}): it is damaged, or has layers with "
            "code of their own, which is not run"
        ) from error
    shapes = model.input_shape
    if not isinstance(shapes, tuple):
        raise BundleInvalid(f"{path}: the network must have one input")
    signature = tf.TensorSpec((None, *shapes[1:]), tf.float32, name="image")
    try:
        proto: onnx.ModelProto = tf2onnx.convert.from_keras(
            model, input_signature=(signature,), opset=_OPSET
        )[0]
    except Exception as error:  # whatever the converter raises
        raise BundleInvalid(
            f"{path} cannot be converted to ONNX ({type(error).__name__})"
        ) from error
    _replace_erfc(proto.graph)
    unknown = sorted(
        {n.op_type for n in proto.graph.node if not onnx.defs.has(n.op_type, n.domain)}
    )
    if unknown:
        raise BundleInvalid(
            f"{path}: the converter does not know {', '.join(unknown)}; export the network to ONNX "
            "where it was made"
        )
    return proto


def _replace_erfc(graph: onnx.GraphProto) -> None:
    """Compute the complementary error function, which ONNX has not, as 1 - erf(x).

    TensorFlow computes the exact GELU of Keras by it.
    """
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.op_type == "Erfc":
            made = node.output[0]
            one, erf = f"{made}/one", f"{made}/erf"
            graph.initializer.append(helper.make_tensor(one, TensorProto.FLOAT, (), [1.0]))
            graph.node.append(helper.make_node("Erf", node.input, [erf]))
            graph.node.append(helper.make_node("CastLike", [one, erf], [f"{one}/like"]))
            graph.node.append(helper.make_node("Sub", [f"{one}/like", erf], [made]))
        else:
            graph.node.append(node)
