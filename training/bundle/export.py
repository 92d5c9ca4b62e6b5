"""Export a trained network as a bundle that the node serves.

The bundle is written as a draft first. It is renamed only after ONNX Runtime has computed the same
values as the trained network. A SIGKILL can leave a draft behind, but never an incomplete bundle.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.files import atomic_write
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
from pacs_ai.model.manifest import FORMAT, SELF_TEST, ClassEntry
from pacs_ai.model.outlier import OutlierEntry
from pacs_ai.model.reference import REFERENCE
from pacs_ai.model.runtime import Runtime
from training.bundle.card import model_card
from training.bundle.convert import to_onnx
from training.bundle.parity import Parity, compare
from training.bundle.reference import write_reference
from training.bundle.results import bundle_metrics, check_results
from training.bundle.self_test import write_self_test
from training.bundle.target import checked_target
from training.data.samples import Dataset, Sample
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import as_json
from training.evaluate.score import make_scores, run_batches
from training.networks.head import split_head
from training.networks.middle import middle_layer, with_middle
from training.recipe.recipe import Recipe
from training.recipe.toml import dumps
from training.run.disk import draft_of
from training.run.run import Run
from training.statistics import outlier
from training.statistics.calibration import Calibration

Floats = npt.NDArray[np.float32]

PARITY = "parity.json"
_MOST_FEATURES = 20_000


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What a bundle has besides the network: recipe, calibration, outlier statistics and limit."""

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
    """Write a bundle, and keep it only if it computes the same as the trained network.

    Parameters
    ----------
    run
        Gets ``bundle/`` and ``parity.json``; its evaluation and explanation go into the card.
    recipe
        Has the name of the bundle and the limits of parity.
    dataset
        The networks are compared on its validation split. The outlier statistics come from the
        features of its training and validation splits.
    network
        The trained network.
    calibration
        Temperature and thresholds.
    out
        The folder of the bundle, ``bundle/`` of the run by default; a bundle there is replaced.

    Returns
    -------
    Path
        The bundle.

    Raises
    ------
    ExportMismatch
        If the two differ by more than the recipe allows, or the head cannot be served. Nothing is
        left behind.
    ConfigError
        If ``out`` exists and is not a bundle: it must not be replaced.
    DataError
        If figures or explanation are of another network, split or recipe.
    """
    folder = checked_target(out.resolve()) if out is not None else run.bundle
    check_results(run)
    network = in_float32(network)
    split_head(network)
    told = recipe.export.outlier != "none"
    served, appended = with_middle(network, middle_layer(recipe.network) if told else "")
    with draft_of(folder) as draft:
        classifier = TrainedNetwork(served)
        statistics, limit = fit_outliers(run, recipe, dataset, classifier, appended)
        content = BundleContent(recipe, calibration, statistics, limit)
        run.log("converting the network to ONNX")
        write_network(served, draft)
        np.savez(draft / WEIGHTS, *network.get_weights(), allow_pickle=False)
        write_manifest(draft, content)
        run.log("comparing the exported with the trained network")
        parity = compare(classifier, Runtime(load_bundle(draft)), dataset.validation, recipe)
        found = parity.to_dict() | run.provenance("export").to_dict()
        atomic_write(run.folder / PARITY, as_json(found))
        parity.check(recipe.export)
        write_self_test(draft)
        write_manifest(draft, content)
        if not write_reference(draft, dataset, recipe):
            run.log("no reference for drift: too few validation patients")
        write_card(draft, run, content, dataset, network, parity)
        write_manifest(draft, content)
        load_bundle(draft)
    return folder


def in_float32(network: keras.Model) -> keras.Model:
    """Convert a network of mixed precision to float32, as the node serves it."""
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return network

    def in_float32_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    twin = keras.models.clone_model(network, clone_function=in_float32_layer, recursive=True)
    twin.set_weights(network.get_weights())
    return twin


def write_network(network: keras.Model, folder: Path) -> None:
    """Write ``model.onnx`` and ``head.npy``."""
    _, dense = split_head(network)
    (folder / NETWORK).write_bytes(to_onnx(network))
    bias = dense.bias.numpy() if dense.use_bias else np.zeros(dense.units, dtype=np.float32)
    np.save(folder / HEAD, np.vstack([dense.kernel.numpy(), bias]).astype(np.float32))


def write_manifest(folder: Path, content: BundleContent) -> None:
    """Write ``model.toml`` for the files in a folder, and ``outlier.npy`` if it is fitted."""
    recipe, release, sets = content.recipe, content.recipe.release, content.calibration.sets
    if content.statistics is not None:
        outlier.write(folder, content.statistics)
    classes = [
        class_at(entry, threshold)
        for entry, threshold in zip(recipe.classes, content.calibration.thresholds, strict=True)
    ]
    files = (NETWORK, HEAD, OUTLIER, SELF_TEST, REFERENCE, WEIGHTS, METRICS, CARD)
    values = {
        "format": FORMAT,
        **release.model_dump(),
        "temperature": content.calibration.temperature,
        "incomplete_above": recipe.export.incomplete_above,
        "input": recipe.input.model_dump(),
        "applicability": recipe.export.applicability.model_dump(exclude_defaults=True),
        "outlier": content.limit.model_dump() if content.limit else None,
        "conformal": asdict(sets) if sets is not None and recipe.export.prediction_sets else None,
        "classes": classes,
        "sha256": {name: _digest(folder / name) for name in files if (folder / name).exists()},
    }
    (folder / MANIFEST).write_text(dumps(values), encoding="utf-8")


def write_card(
    folder: Path,
    run: Run,
    content: BundleContent,
    dataset: Dataset,
    network: keras.Model,
    parity: Parity,
) -> None:
    """Write ``metrics.json`` and ``MODEL_CARD.md`` from the results of the run."""
    metrics = bundle_metrics(run, parity)
    (folder / METRICS).write_text(as_json(metrics), encoding="utf-8")
    card = model_card(
        run,
        content.recipe,
        dataset,
        calibration=content.calibration,
        parameters=network.count_params(),
        outlier=content.limit,
        metrics=metrics,
    )
    (folder / CARD).write_text(card, encoding="utf-8")


def fit_outliers(
    run: Run, recipe: Recipe, dataset: Dataset, classifier: TrainedNetwork, appended: int
) -> tuple[Floats | None, OutlierEntry | None]:
    """Fit the statistics by which the node recognises images unlike those of training.

    Parameters
    ----------
    appended
        Number of the last features that count; 0 if all do.

    Returns
    -------
    tuple
        Statistics and limit. Both are None if the recipe switches them off, or if there are too few
        training images.
    """
    if recipe.export.outlier == "none":
        return None, None
    chosen = np.linspace(0, len(dataset.train) - 1, min(len(dataset.train), _MOST_FEATURES))
    train = [dataset.train[i] for i in np.unique(chosen.astype(int))]
    if len(train) < outlier.FEWEST:
        run.log(f"no outlier statistics: {len(train)} training images are too few")
        return None, None
    run.log(f"computing outlier statistics of {len(train)} training images")
    chosen_features = slice(-appended or None, None)
    pooled = [
        _pool(classifier, samples, recipe)[:, chosen_features]
        for samples in (train, dataset.validation)
    ]
    statistics = outlier.fit(pooled[0], _kinds(train, recipe))
    policy = recipe.export.outlier
    return statistics, outlier.choose_limit(statistics, pooled[1], policy=policy)


def _kinds(samples: Sequence[Sample], recipe: Recipe) -> npt.NDArray[np.int64]:
    """Return the classes of each image and the number of its modality, shape (n, classes + 1)."""
    modalities = [sample.groups.get("modality", "") for sample in samples]
    _, numbers = np.unique(modalities, return_inverse=True)
    empty = np.zeros((len(samples), len(recipe.classes)))
    truth = make_scores(samples, empty, len(recipe.classes)).truth
    return np.column_stack([truth.astype(np.int64), numbers])


def _pool(classifier: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe) -> Floats:
    batches = run_batches(classifier, samples, recipe.input, recipe.feeding.workers)
    return np.concatenate([outlier.pool(features) for _, _, _, features in batches])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def class_at(entry: ClassEntry, threshold: float) -> dict[str, object]:
    """Return a class with the threshold chosen on validation, which its undetermined band holds."""
    found = entry.model_dump(exclude_none=True) | {"threshold": threshold}
    if entry.undetermined is not None:
        low, high = entry.undetermined
        found["undetermined"] = (min(low, threshold), max(high, threshold))
    return found
