"""The networks of keras.applications and the Lite networks become ONNX of equal values.

ResNet101 is left out: it is ResNet50 with more of the same blocks, and takes a minute. ResNet50V2,
Lite0 and ConvNeXt are exported in ``test_backbones_whole.py``, with the same comparison.
"""

from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from keras import applications, layers

from training.bundle.convert import to_onnx
from training.networks.head import split_head
from training.networks.lite import lite
from training.recipe.learning import EfficientNetLite

pytestmark = [pytest.mark.train, pytest.mark.thorough]

SIDE = 64
MAKERS = {
    "resnet50": applications.ResNet50,
    "vgg16": applications.VGG16,
    "densenet121": applications.DenseNet121,
    "efficientnetb0": applications.EfficientNetB0,
}


LITE = ("efficientnet-lite1", "efficientnet-lite2")


def made(name: str, image: keras.KerasTensor) -> keras.KerasTensor:
    """The last feature map."""
    if name in MAKERS:
        return MAKERS[name](include_top=False, weights=None, input_tensor=image).output
    return lite(image, EfficientNetLite.model_validate({"architecture": name}))


@pytest.mark.parametrize("name", [*MAKERS, *LITE])
def test_a_backbone_is_exported_whole(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = made(name, image)
    x = layers.Activation("linear", name="features")(x)
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D(name="pooled")(x))
    network = keras.Model(image, layers.Dense(3, name="logits", dtype="float32")(x))
    features, dense = split_head(network)
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(network))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    probe = np.random.default_rng(1).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    logits, seen = session.run(["logits", "features"], {"image": probe})
    wanted = keras.Model(network.input, [network.output, features])(probe, training=False)
    for ours, theirs in zip((logits, seen), map(np.asarray, wanted), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-4 * max(1.0, float(np.abs(theirs).max()))
    head = seen.mean(axis=(1, 2)) @ dense.kernel.numpy() + dense.bias.numpy()
    assert np.allclose(head, logits, rtol=1e-3, atol=1e-3)
