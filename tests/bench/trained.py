"""A ResNet50 that has learned something, in float32 and in eight bits.

With random weights a network of eight bits is never close to float32: what it says hangs on
rounding. So a ResNet50 is trained briefly to tell CT, MR and film phantoms apart: 60 steps on
images of 96 x 96 pixels, then the statistics of its layers are taken again at 224 x 224. It is kept
in ``test-output``, because that takes minutes.
"""

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt
from keras import applications, layers

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.model.bundle import HEAD, MANIFEST, NETWORK, load_bundle
from pacs_ai.model.preprocess import preprocess
from pacs_ai.model.spec import InputSpec
from pacs_ai.phantom import write_phantom_study
from training.bundle.convert import to_onnx
from training.bundle.precision import run_original
from training.bundle.smaller import write_int8
from training.networks.head import split_head

Floats = npt.NDArray[np.float32]

KEPT = Path(__file__).resolve().parents[2] / "test-output" / "bench-resnet50"
SIDE, SMALL, STEPS, BATCH = 224, 96, 60, 24
MODALITIES = ("CT", "MR", "CR")
IMAGES, TRAINED, CALIBRATED = 360, 240, 60
"""Images drawn, those of them that train, and those of these that give the ranges."""

_MANIFEST = """\
format = 1
name = "trained-resnet50"
version = "1"
manufacturer = "pacs-ai"
description = "Tells phantoms of three modalities apart, for benches."
activation = "sigmoid"
aggregation = "max"
temperature = 1.0
[input]
height = 224
width = 224
preprocess = "letterbox-rgb-v1"
modalities = ["CT", "MR", "CR", "DX"]
max_images = 3000
{classes}
[sha256]
"model.onnx" = "{network}"
"head.npy" = "{head}"
"""
_CLASS = """\
[[classes]]
name = "{name}"
positive = true
threshold = 0.5
code = {{ value = "{name}", scheme = "99BENCH", meaning = "{name}" }}
"""


def trained_bundles() -> tuple[Path, Path]:
    """Return the bundles in float32 and in eight bits; they are made if they are not there.

    Raises
    ------
    PrecisionRefused
        If eight bits are too far from float32.
    """
    exact, small = KEPT / "fp32", KEPT / "fp32-int8"
    if not small.is_dir():
        shutil.rmtree(KEPT, ignore_errors=True)
        exact.mkdir(parents=True)
        x, y = _phantoms()
        _write(_trained(x[:TRAINED], y[:TRAINED]), exact)
        original = load_bundle(exact)
        seen = run_original(original, x[TRAINED:], y[TRAINED:] > 0, "validation")
        _, report = write_int8(original, x[:CALIBRATED], seen, _say)
        _say(report.summary)
    return exact, small


def _phantoms() -> tuple[Floats, Floats]:
    """Draw images as the network takes them, (n, 224, 224, 3), and which modality each is."""
    spec = InputSpec(
        height=SIDE, width=SIDE, preprocess="letterbox-rgb-v1", modalities=MODALITIES, max_images=1
    )
    images, labels = [], []
    for seed in range(IMAGES):
        modality = MODALITIES[seed % len(MODALITIES)]
        with tempfile.TemporaryDirectory() as folder:
            [path] = write_phantom_study(
                Path(folder), modality, seed, lesion=False, slices=1, columns=256
            ).files
            images.append(preprocess(read_pixels(path), spec)[0])
        labels.append([name == modality for name in MODALITIES])
    return np.array(images), np.array(labels, dtype=np.float32)


def _trained(x: Floats, y: Floats) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = _network(None)
    norms = [each for each in model.layers if isinstance(each, layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.9
        if norm.name.endswith("_3_bn"):  # small gains of the residual branches: it learns faster
            norm.gamma.assign(np.full(norm.gamma.shape, 0.2, dtype=np.float32))
    rate = keras.optimizers.schedules.CosineDecay(0.0, STEPS, warmup_target=1e-3, warmup_steps=15)
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.05)
    model.compile(keras.optimizers.Adam(rate), loss)
    few = np.array([cv2.resize(one, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for one in x])
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        some = rng.choice(len(few), BATCH, replace=False)
        shown = few[some][:, :, :: (-1) ** step]
        value = model.train_on_batch(shown, y[some])
        if step % 20 == 0:
            _say(f"step {step} of {STEPS}: loss {float(value):.3f}")
    for norm in norms:
        norm.momentum = 0.0
    model(x[rng.choice(len(x), 48, replace=False)], training=True)
    fixed = _network(SIDE)
    fixed.set_weights(model.get_weights())
    return fixed


def _network(side: int | None) -> keras.Model:
    image = keras.Input((side, side, 3), name="image")
    x = applications.ResNet50(include_top=False, weights=None, input_tensor=image).output
    x = layers.Activation("linear", name="features")(x)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(image, layers.Dense(len(MODALITIES), name="logits")(x))


def _write(network: keras.Model, folder: Path) -> None:
    _, dense = split_head(network)
    (folder / NETWORK).write_bytes(to_onnx(network))
    weights = np.vstack([dense.kernel.numpy(), dense.bias.numpy()[None]]).astype(np.float32)
    np.save(folder / HEAD, weights)
    hashes = {
        name: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for name, file in (("network", NETWORK), ("head", HEAD))
    }
    classes = "".join(_CLASS.format(name=name) for name in MODALITIES)
    (folder / MANIFEST).write_text(_MANIFEST.format(classes=classes, **hashes), "utf-8")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _say(" ".join(map(str, trained_bundles())))
