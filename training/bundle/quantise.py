"""Make smaller bundles of a bundle, and measure their accuracy, latency and size."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError, PrecisionRefused
from pacs_ai.files import atomic_write
from pacs_ai.model.bundle import (
    METRICS,
    NETWORK,
    OUTLIER,
    ModelBundle,
    load_bundle,
)
from pacs_ai.pages.figures import span, value
from pacs_ai.statistics.bootstrap import interval
from pacs_ai.statistics.figures import OVERALL, draw_figures
from pacs_ai.statistics.metrics import Floats
from training.bundle.compress import to_float16
from training.bundle.precision import run_original
from training.bundle.smaller import (
    COST_TITLE,
    MOST_COMPARED,
    add_to_card,
    evenly,
    write_int8,
    write_smaller,
)
from training.data.read import load_images
from training.data.samples import Dataset, Sample
from training.evaluate.network import ServedNetwork
from training.evaluate.publish import as_json, question_of
from training.evaluate.results import cases_of, jsonable, units_of
from training.evaluate.score import run_batches, score
from training.recipe.recipe import Recipe
from training.report.text_table import text_table
from training.run.checks import require_fit
from training.run.provenance import Provenance
from training.run.run import Run
from training.statistics import outlier
from training.statistics.calibration import Calibration
from training.statistics.outlier import pool

REPORT = "quantise.json"
ORIGINAL = "fp32"
JUDGED = ("auc", "sensitivity", "specificity", "balanced_accuracy", "loss")
_TIMED = 25
_WARM = 3
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Variant:
    """A bundle: its figures for each draw of patients, logits, and network size in bytes."""

    name: str
    folder: Path
    drawn: dict[str, Floats]
    logits: Floats
    size: int


def quantise(run: Run, recipe: Recipe, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Write ``NAME-fp16`` and ``NAME-int8`` beside a bundle, and measure what each costs.

    The one of eight bits is written only if it is close enough to the network in float32.

    Parameters
    ----------
    run
        Gets ``quantise.json``.
    recipe
        Has the number of calibration images.
    dataset
        Calibration images come from its training split. The comparison that decides about eight
        bits, and the outlier limit, use its validation split; the cost is measured on its test
        split.
    folder
        The folder of the bundle in float32.

    Returns
    -------
    dict
        For each variant: size, latency and figures, with the difference to the original for the
        same draws of patients. ``refused`` says why there is none of eight bits, "" if there is.

    Raises
    ------
    DataError
        If the bundle was made from other weights, another split or another recipe than the run has.
    BundleInvalid
        If the bundle or a smaller one is invalid; the smaller one is removed.
    """
    original, refused = checked_bundle(run, folder), ""
    limit = partial(_limit, recipe=recipe, validation=dataset.validation)
    dataset = dataset.certain()
    folders = {ORIGINAL: folder}
    run.log(f"writing {folder.name}-fp16")
    folders["fp16"] = write_smaller(original, "fp16", to_float16(original.read_network()), limit)
    few = evenly(dataset.train, recipe.export.calibration_images)
    images = load_images(few, recipe.input, len(recipe.classes), 1).x
    seen = run_original(original, *_labelled(recipe, dataset.validation), split="validation")
    try:
        folders["int8"], _ = write_int8(original, images, seen, run.log, limit)
    except PrecisionRefused as error:
        refused = error.message
    run.log(f"running each network on {len(dataset.test)} test images")
    variants = [_measure(name, where, recipe, dataset) for name, where in folders.items()]
    timed = _latencies({v.name: v.folder for v in variants}, images[:1])
    table = [_row(v, variants[0], timed[v.name]) for v in variants]
    found = {
        "images": len(dataset.test),
        "calibration_images": len(images),
        "variants": table,
        "refused": refused,
        "bundle": original.manifest_sha256,
        **run.provenance("export").to_dict(),
    }
    atomic_write(run.folder / REPORT, as_json(found))
    for variant, row in zip(variants[1:], table[1:], strict=True):
        _add_cost_to_card(variant.folder, row)
    return found


def table(found: dict[str, Any]) -> str:
    """Format the result of `quantise` as a text table."""
    rows = [("", "MiB", "ms an image", *(name.replace("_", " ") for name in JUDGED))]
    for each in found["variants"]:
        figures = [
            f"{value(each['figures'][name])} ({value(each['cost'][name], sign=True)})"
            for name in JUDGED
        ]
        size, time_ = f"{each['mebibytes']:.2f}", f"{each['milliseconds']:.2f}"
        rows.append((each["folder"], size, time_, *figures))
    return text_table(rows)


def checked_bundle(run: Run, folder: Path) -> ModelBundle:
    """Load a bundle, and check that it was made from the network, split and recipe of a run.

    Raises
    ------
    DataError
        If it was not, or the run has no validation split of its own, as it has folds.
    """
    if run.recipe.split.folds and not run.recipe.split.fold:
        raise DataError(
            f"{run.folder} has a validation split for each fold: compare the ensemble on other "
            "images, with --images"
        )
    bundle, path = load_bundle(folder), folder / METRICS
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    require_fit(run, "export", Provenance.read(values), f"the bundle {folder}")
    return bundle


def _labelled(
    recipe: Recipe, validation: Sequence[Sample]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    images = load_images(evenly(validation, MOST_COMPARED), recipe.input, len(recipe.classes), 1)
    return images.x, images.y > 0


def _limit(folder: Path, recipe: Recipe, validation: Sequence[Sample]) -> float:
    """Choose the outlier limit again, because the features of this network are different."""
    batches = run_batches(ServedNetwork(folder), validation, recipe.input, recipe.feeding.workers)
    pooled = np.concatenate([pool(features) for _, _, _, features in batches])
    statistics = np.load(folder / OUTLIER, allow_pickle=False)
    return outlier.choose_limit(statistics, pooled).limit


def _measure(name: str, folder: Path, recipe: Recipe, dataset: Dataset) -> Variant:
    bundle = load_bundle(folder)
    thresholds = tuple(entry.threshold for entry in bundle.identity.classes)
    scores = score(ServedNetwork(folder), dataset.test, recipe, studies=dataset.studies)
    unit = units_of(scores)[-1]
    calibration = Calibration(bundle.temperature, thresholds)
    cases = cases_of(unit, scores, question_of(recipe), calibration)
    drawn = draw_figures(cases, recipe.evaluation)
    size = (folder / NETWORK).stat().st_size
    return Variant(name, folder, drawn, scores.logits, size)


def _latencies(folders: dict[str, Path], x: npt.NDArray[np.float32]) -> dict[str, float]:
    """Measure the median latency in ms; networks take turns, so that other load affects all."""
    networks = {name: ServedNetwork(folder) for name, folder in folders.items()}
    taken: dict[str, list[float]] = {name: [] for name in folders}
    for turn in range(_WARM + _TIMED):
        for name, network in networks.items():
            start = time.perf_counter()
            network.predict(x)
            if turn >= _WARM:
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(each)) for name, each in taken.items()}


def _row(variant: Variant, original: Variant, milliseconds: float) -> dict[str, Any]:
    figures, costs = {}, {}
    for name in JUDGED:
        key = f"{OVERALL}/{name}"
        figures[name] = jsonable(interval(variant.drawn[key]))
        costs[name] = jsonable(interval(variant.drawn[key] - original.drawn[key]))
    return {
        "name": variant.name,
        "folder": variant.folder.name,
        "mebibytes": round(variant.size / _MIB, 3),
        "milliseconds": round(milliseconds, 3),
        "largest_difference_of_logits": float(
            f"{np.abs(variant.logits - original.logits).max():.3g}"
        ),
        "figures": figures,
        "cost": costs,
    }


def _add_cost_to_card(folder: Path, row: dict[str, Any]) -> None:
    """Add the cost of the smaller network to the card."""
    lines = [
        f"- {name.replace('_', ' ')}: {value(row['figures'][name])}, difference "
        f"{value(row['cost'][name], sign=True)} ({span(row['cost'][name], sign=True)})"
        for name in JUDGED
    ]
    add_to_card(
        folder,
        f"{COST_TITLE}\nThe figures above are those of the network in float32. This one is its "
        f"{row['name']} form: {row['mebibytes']:g} MiB; on the same test split:\n\n"
        + "\n".join(lines)
        + "\n",
    )
