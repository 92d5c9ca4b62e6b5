"""From a Keras network to a bundle that the node serves, or to no bundle at all."""

import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras import layers

from pacs_ai.errors import BundleInvalid, ExportMismatch
from pacs_ai.model.bundle import HEAD, MANIFEST, NETWORK, WEIGHTS, load_bundle
from pacs_ai.model.runtime import FEATURES, LOGITS, OnnxRuntime

from .config import Recipe
from .dataset import Floats
from .model import save_weights

PARITY_LIMIT = 1e-4
"""Largest difference of any logit or feature between the trained and the exported network."""

_OPSET = 17
_IR_VERSION = 8


def split_head(model: keras.Model) -> tuple[keras.KerasTensor, layers.Dense]:
    """Find the last feature map and the layer that reads it.

    Parameters
    ----------
    model
        From images to logits.

    Returns
    -------
    tuple
        The feature map, and the dense layer that makes logits of its mean.

    Raises
    ------
    ExportMismatch
        If the head is anything else than global average pooling, dropout (which serving skips)
        and one linear dense layer: then Grad-CAM in closed form would not be exact.
    """
    dense = _maker(model.output)
    if not isinstance(dense, layers.Dense) or dense.activation is not keras.activations.linear:
        raise ExportMismatch("the last layer is not a linear dense layer that gives logits")
    below = _maker(dense.input)
    while isinstance(below, layers.Dropout):
        below = _maker(below.input)
    if not isinstance(below, layers.GlobalAveragePooling2D):
        raise ExportMismatch(
            f"the head reads {type(below).__name__}, not the mean over the last feature map: "
            "closed-form Grad-CAM would not be exact"
        )
    return below.input, dense


def _maker(tensor: keras.KerasTensor) -> keras.Operation:
    # Keras has no public way to ask which layer made a tensor.
    return tensor._keras_history.operation


def to_onnx(model: keras.Model) -> bytes:
    """Convert a network to ONNX with outputs ``logits`` and ``features`` (n, h, w, k).

    The same weights give the same bytes: names that the converter counts up in a process, and
    its own version, are replaced.

    Raises
    ------
    ExportMismatch
        If the head does not allow closed-form Grad-CAM.
    """
    features, _ = split_head(model)
    twin = keras.Model(model.input, [model.output, features])
    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    proto, _ = tf2onnx.convert.from_keras(twin, input_signature=(signature,), opset=_OPSET)
    network: bytes = _canonical(proto).SerializeToString(deterministic=True)
    return network


def _canonical(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Name everything by its place in the graph and drop what says who converted it when."""
    graph = proto.graph
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


def export(
    model: keras.Model,
    recipe: Recipe,
    folder: Path,
    probe: Floats,
    *,
    temperature: float = 1.0,
    threshold: float = 0.5,
) -> float:
    """Write a bundle, and keep it only if it computes what the trained network does.

    Parameters
    ----------
    model
        The trained network.
    recipe
        What the bundle says of itself.
    folder
        Where it goes; one that is there is replaced.
    probe
        Preprocessed images to compare on, shape (n, height, width, 1).
    temperature, threshold
        Calibration and operating point of the positive classes.

    Returns
    -------
    float
        Largest difference on ``probe``.

    Raises
    ------
    ExportMismatch
        If the difference is above `PARITY_LIMIT`, or the head is refused. Nothing is left behind.
    """
    _, dense = split_head(model)
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    (draft / NETWORK).write_bytes(to_onnx(model))
    np.save(draft / HEAD, np.vstack([array.numpy() for array in (dense.kernel, dense.bias)]))
    save_weights(model, draft / WEIGHTS)
    (draft / MANIFEST).write_text(manifest(recipe, draft, temperature, threshold), encoding="utf-8")
    try:
        difference = parity(model, draft, probe)
    except (BundleInvalid, ExportMismatch):
        shutil.rmtree(draft)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return difference


def parity(model: keras.Model, folder: Path, probe: Floats) -> float:
    """Compare a bundle, run as the node runs it, with the network it was made from.

    Returns
    -------
    float
        Largest absolute difference of logits and features.

    Raises
    ------
    ExportMismatch
        If it is above `PARITY_LIMIT`.
    """
    runtime = OnnxRuntime(load_bundle(folder))
    features, _ = split_head(model)
    twin = keras.Model(model.input, [model.output, features])
    difference = 0.0
    for x in probe:
        wanted = twin(x[None], training=False)
        for ours, theirs in zip(runtime.predict(x[None]), wanted, strict=True):
            difference = max(difference, float(np.abs(ours - theirs.numpy()).max()))
    if not difference <= PARITY_LIMIT:
        raise ExportMismatch(
            f"the exported network differs by {difference:.2g}, allowed is {PARITY_LIMIT:.0e}"
        )
    return difference


def manifest(recipe: Recipe, folder: Path, temperature: float, threshold: float) -> str:
    """Write ``model.toml`` for the files in a folder."""
    release, spec = recipe.release, recipe.input
    lines = ["format = 1"]
    lines += [f"{key} = {_toml(value)}" for key, value in release.model_dump().items()]
    lines += [f"temperature = {temperature:.4f}", "", "[input]"]
    rules = spec.model_dump(exclude_defaults=True)
    lines += [f"{key} = {_toml(value)}" for key, value in rules.items()]
    for entry in recipe.classes:
        operating = threshold if entry.positive else 1 - threshold
        code = ", ".join(f"{key} = {_toml(value)}" for key, value in entry.code)
        lines += [
            "",
            "[[classes]]",
            f"name = {_toml(entry.name)}",
            f"positive = {_toml(entry.positive)}",
            f"threshold = {operating:.4f}",
            *([f"undetermined = {_toml(entry.undetermined)}"] if entry.undetermined else []),
            f"code = {{ {code} }}",
        ]
    lines += ["", "[sha256]"]
    for name in (NETWORK, HEAD, WEIGHTS):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        lines.append(f'"{name}" = "{digest}"')
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Write a value as TOML; JSON's strings, numbers, truths and lists are the same there."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)
