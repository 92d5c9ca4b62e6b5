"""A bundle at the size of real ones: ResNet50, 14 sigmoid classes, random weights.

What it says of an image means nothing: the first class is present, the others are absent. How long
it takes is what a trained one takes.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pacs_ai.model.bundle import HEAD, MANIFEST, NETWORK

if TYPE_CHECKING:
    import keras

CLASSES = 14
SIDE = 224

_MANIFEST = """\
format = 1
name = "resnet50"
version = "1"
manufacturer = "pacs-ai"
description = "Random weights, for benches."
activation = "sigmoid"
aggregation = "max"
temperature = 1.0
[input]
height = {side}
width = {side}
preprocess = "letterbox-rgb-v1"
modalities = ["CT", "MR", "CR", "DX", "MG"]
max_images = 3000
[input.windows]
{classes}
[sha256]
"model.onnx" = "{network}"
"head.npy" = "{head}"
"""
_CLASS = """\
[[classes]]
name = "class {number}"
positive = true
threshold = 0.5
code = {{ value = "CLASS{number}", scheme = "99BENCH", meaning = "Class {number}" }}
"""


def resnet50_network() -> "keras.Model":
    """Make the network; the same weights each time."""
    import keras  # noqa: PLC0415 - takes seconds, and few need it
    from keras import applications, layers  # noqa: PLC0415

    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = applications.ResNet50(include_top=False, weights=None, input_tensor=image).output
    x = layers.Activation("linear", name="features")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    dense = layers.Dense(CLASSES, name="logits", dtype="float32")
    network = keras.Model(image, dense(x))
    bias = np.array([3.0] + [-3.0] * (CLASSES - 1))
    dense.set_weights([dense.kernel.numpy() / 100, bias])
    return network


def resnet50_bundle(folder: Path) -> Path:
    """Write the bundle; the same weights each time."""
    from training.bundle.convert import to_onnx  # noqa: PLC0415 - loads TensorFlow
    from training.networks.head import split_head  # noqa: PLC0415

    network = resnet50_network()
    _, dense = split_head(network)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NETWORK).write_bytes(to_onnx(network))
    weights = np.vstack([dense.kernel.numpy(), dense.bias.numpy()[None]]).astype(np.float32)
    np.save(folder / HEAD, weights)
    hashes = {
        name: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for name, file in (("network", NETWORK), ("head", HEAD))
    }
    classes = "".join(_CLASS.format(number=number) for number in range(1, CLASSES + 1))
    text = _MANIFEST.format(side=SIDE, classes=classes, **hashes)
    (folder / MANIFEST).write_text(text, "utf-8")
    return folder
