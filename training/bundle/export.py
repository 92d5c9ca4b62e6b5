"""From a trained network to a bundle that the node serves, or to no bundle at all.

The draft becomes the bundle only after ONNX Runtime, run as the node runs it, has computed what
the trained network does. A SIGKILL leaves a draft behind, never half a bundle.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.errors import BundleInvalid, ConfigError, ExportMismatch
from pacs_ai.model.bundle import (
    CARD,
    HEAD,
    MANIFEST,
    METRICS,
    NETWORK,
    OUTLIER,
    WEIGHTS,
    load_bundle,
)
from pacs_ai.model.outlier import OutlierEntry
from pacs_ai.model.runtime import Runtime
from training.bundle.card import bundle_metrics, model_card
from training.bundle.convert import to_onnx
from training.bundle.parity import Parity, compare
from training.data.samples import Dataset, Sample
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import as_json
from training.evaluate.score import describe, look
from training.networks.head import split_head
from training.recipe.recipe import Recipe
from training.recipe.toml import dumps
from training.run.disk import made
from training.run.run import Run
from training.statistics import outlier
from training.statistics.calibration import Calibration

Floats = npt.NDArray[np.float32]

PARITY = "parity.json"
_MOST_FEATURES = 20_000


@dataclass(frozen=True, slots=True)
class Material:
    """What a bundle is made of besides the network: what was decided, and what was measured."""

    recipe: Recipe
    calibration: Calibration
    statistics: Floats | None
    limit: OutlierEntry | None


def export(
    run: Run,
    recipe: Recipe,
    dataset: Dataset,
    network: keras.Model,
    calibration: Calibration,
    out: Path | None = None,
) -> Path:
    """Write a bundle, and keep it only if it computes what the trained network does.

    Parameters
    ----------
    run
        Gets ``bundle/`` and ``parity.json``; its evaluation and explanation go into the card.
    recipe
        What the bundle says of itself, and what it may differ by.
    dataset
        Its validation split is what the two networks are compared on; the features of training
        and validation tell later which images are unlike them.
    network
        The trained one.
    calibration
        Temperature and thresholds.
    out
        Where the bundle goes, for ``bundle/`` of the run; a bundle there is replaced.

    Returns
    -------
    Path
        The bundle.

    Raises
    ------
    ExportMismatch
        If the two differ by more than the recipe allows, or the head is refused. Nothing is left
        behind.
    ConfigError
        If ``out`` is something else than a bundle, which must not be lost.
    """
    folder = _free(out.resolve()) if out is not None else run.bundle
    network = in_float32(network)
    split_head(network)
    statistics, limit = fit_outliers(run, recipe, dataset, network)
    material = Material(recipe, calibration, statistics, limit)
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    made(draft)
    try:
        run.log("converting the network to ONNX")
        write_network(network, draft)
        write_manifest(draft, material)
        run.log("comparing it with the trained network")
        parity = compare(network, Runtime(load_bundle(draft)), dataset.validation, recipe)
        (run.folder / PARITY).write_text(as_json(parity.to_dict()), encoding="utf-8")
        parity.check(recipe.export)
        write_words(draft, run, material, dataset, network, parity)
        write_manifest(draft, material)
        load_bundle(draft)
    except (BundleInvalid, ExportMismatch):
        shutil.rmtree(draft)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return folder


def _free(folder: Path) -> Path:
    if folder.exists() and not (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder} is there and no bundle: --out names a new folder")
    return folder


def in_float32(network: keras.Model) -> keras.Model:
    """Make a network that was trained in mixed precision compute in float32, which is served."""
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    twin = keras.models.clone_model(network, clone_function=plain)
    twin.set_weights(network.get_weights())
    return twin


def write_network(network: keras.Model, folder: Path) -> None:
    """Write ``model.onnx``, ``head.npy`` and ``weights.npz``."""
    _, dense = split_head(network)
    (folder / NETWORK).write_bytes(to_onnx(network))
    bias = dense.bias.numpy() if dense.use_bias else np.zeros(dense.units, dtype=np.float32)
    np.save(folder / HEAD, np.vstack([dense.kernel.numpy(), bias]).astype(np.float32))
    np.savez(folder / WEIGHTS, *network.get_weights(), allow_pickle=False)


def write_manifest(folder: Path, material: Material) -> None:
    """Write ``model.toml`` for the files in a folder, and ``outlier.npy`` if there is one."""
    recipe, release = material.recipe, material.recipe.release
    if material.statistics is not None:
        outlier.write(folder, material.statistics)
    classes = [
        entry.model_dump(exclude_none=True) | {"threshold": threshold}
        for entry, threshold in zip(recipe.classes, material.calibration.thresholds, strict=True)
    ]
    files = (NETWORK, HEAD, OUTLIER, WEIGHTS, METRICS, CARD)
    values = {
        "format": 1,
        **release.model_dump(),
        "temperature": material.calibration.temperature,
        "incomplete_above": recipe.export.incomplete_above,
        "input": recipe.input.model_dump(),
        "applicability": recipe.export.applicability.model_dump(exclude_defaults=True),
        "outlier": material.limit.model_dump() if material.limit else None,
        "classes": classes,
        "sha256": {name: _digest(folder / name) for name in files if (folder / name).exists()},
    }
    (folder / MANIFEST).write_text(dumps(values), encoding="utf-8")


def write_words(
    folder: Path,
    run: Run,
    material: Material,
    dataset: Dataset,
    network: keras.Model,
    parity: Parity,
) -> None:
    """Write ``metrics.json`` and ``MODEL_CARD.md`` from what the run measured."""
    metrics = bundle_metrics(run, parity)
    (folder / METRICS).write_text(as_json(metrics), encoding="utf-8")
    card = model_card(
        run,
        material.recipe,
        dataset,
        calibration=material.calibration,
        parameters=network.count_params(),
        outlier=material.limit,
        metrics=metrics,
    )
    (folder / CARD).write_text(card, encoding="utf-8")


def fit_outliers(
    run: Run, recipe: Recipe, dataset: Dataset, network: keras.Model
) -> tuple[Floats | None, OutlierEntry | None]:
    """Fit the statistics by which the node tells images unlike those of training.

    Returns
    -------
    tuple
        Statistics and limit, or None for both where the recipe wants none, or there are fewer
        training images than features: no covariance can be told from those.
    """
    if recipe.export.outlier == "none":
        return None, None
    looking = TrainedNetwork(network)
    chosen = np.linspace(0, len(dataset.train) - 1, min(len(dataset.train), _MOST_FEATURES))
    train = [dataset.train[i] for i in np.unique(chosen.astype(int))]
    channels = looking.class_weights.shape[1]
    if len(train) <= channels:
        run.log(
            f"no outlier statistics: {len(train)} training images are too few for "
            f"{channels} features"
        )
        return None, None
    run.log(f"looking at {len(train)} training images, to tell others from them")
    pooled = [_pool(looking, samples, recipe) for samples in (train, dataset.validation)]
    empty = np.zeros((len(train), len(recipe.classes)))
    labels = describe(train, empty, len(recipe.classes)).truth
    statistics = outlier.fit(pooled[0], labels)
    policy = recipe.export.outlier
    return statistics, outlier.choose_limit(statistics, pooled[1], policy=policy)


def _pool(looking: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe) -> Floats:
    seen = look(looking, samples, recipe.input, recipe.feeding.workers)
    return np.concatenate([outlier.pool(features) for _, _, _, features in seen])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
