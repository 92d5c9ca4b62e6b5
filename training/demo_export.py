"""From a Keras network to a bundle that the node serves, or to no bundle at all."""

import hashlib
import json
import shutil
from pathlib import Path

import keras
import numpy as np

from pacs_ai.errors import BundleInvalid, ExportMismatch
from pacs_ai.model.bundle import HEAD, MANIFEST, NETWORK, WEIGHTS, load_bundle
from pacs_ai.model.runtime import OnnxRuntime

from .config import Recipe
from .convert import split_head, to_onnx
from .dataset import Floats
from .model import save_weights

PARITY_LIMIT = 1e-4
"""Largest difference of any logit or feature between the trained and the exported network."""


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
