"""Explain a run: draw what its network looks at, and measure what that is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from training.data.samples import Dataset, Sample
from training.evaluate.judge import plain
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import as_json, calibration_of
from training.evaluate.score import image_key, look
from training.evaluate.worst import box_of
from training.explain.inside import choose_layers, feature_maps, maximise
from training.explain.saliency import METHODS
from training.explain.worth import (
    answer_of,
    area,
    blur,
    curve,
    means,
    order_of,
    point,
    random_order,
)
from training.recipe.recipe import Recipe
from training.report.explained import write_page
from training.report.pictures import as_rgb, enlarge, frame, grey_of, mosaic, overlay, png
from training.run.disk import write_whole
from training.run.run import Run
from training.statistics.calibration import Calibration

EXPLAINED = "explain.json"
_BOX = (64, 220, 200)
_SIDE = 160
_MEASURED = "Grad-CAM"


@dataclass(slots=True)
class Worth:
    """What was measured of single images, by name, and whose they are."""

    values: dict[str, list[float]] = field(default_factory=dict)
    patients: list[str] = field(default_factory=list)

    def add(self, patient: str, **values: float) -> None:
        """Write one image down."""
        self.patients.append(patient)
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)


def explain(run: Run, recipe: Recipe, dataset: Dataset, network: keras.Model) -> dict[str, object]:
    """Draw overlays, feature maps and favourite images, and measure the heat maps.

    Parameters
    ----------
    run
        One that is evaluated; gets ``explain/`` with PNG files, ``explain.json`` and
        ``explain.html``.
    recipe
        How many of what.
    dataset
        Its test split is explained.
    network
        The trained one.

    Returns
    -------
    dict
        The content of ``explain.json``: under ``measured`` the figures with their intervals.
    """
    config, folder, looking = recipe.explanation, run.explain, TrainedNetwork(network)
    shown = evenly(dataset.test, config.images)
    run.log(f"drawing heat maps of {len(shown)} images")
    images = draw_overlays(looking, shown, recipe, folder)
    example = next((s for s in shown if _finding(s, recipe) is not None), shown[0])
    layers = choose_layers(network, config.layers)
    run.log("drawing feature maps and what each class likes best")
    seen = next(iter(look(looking, [example], recipe.input, 1)))[1].x
    for number, layer in enumerate(layers):
        picture = feature_maps(network, seen, layer, config.channels)
        write_whole(folder / f"features-{number}.png", png(picture))
    for k in range(len(recipe.classes)):
        liked = maximise(network, k, recipe.input, config.steps)
        write_whole(folder / f"class-{k}.png", png(liked))
    run.log("measuring what the heat maps are worth")
    pointing = measure_pointing(looking, dataset.test, recipe)
    hanging, curves = measure_curves(looking, dataset.test, recipe, calibration_of(run))
    resamples = recipe.evaluation.resamples
    measured = {
        **means(pointing.values, pointing.patients, resamples),
        **means(hanging.values, hanging.patients, resamples),
    }
    found = {
        "format": 1,
        "model": {"name": recipe.release.name, "version": recipe.release.version},
        "classes": [entry.name for entry in recipe.classes],
        "images": images,
        "example": image_key(example),
        "layers": layers,
        "boxes": len(pointing.patients),
        "measured": plain(measured),
        "curves": plain(curves),
    }
    write_whole(folder / EXPLAINED, as_json(found))
    write_page(folder)
    return found


def evenly(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Choose samples evenly from the classes, the first of each in turn."""
    ranks: dict[tuple[int, ...], int] = {}
    ranked: list[tuple[int, tuple[int, ...], int, Sample]] = []
    for sample in samples:
        rank = ranks[sample.labels] = ranks.get(sample.labels, -1) + 1
        ranked.append((rank, sample.labels, len(ranked), sample))
    return [sample for *_, sample in sorted(ranked, key=lambda each: each[:3])[:count]]


def _finding(sample: Sample, recipe: Recipe) -> int | None:
    """Index of the first finding that is true for an image, None if there is none."""
    return next((k for k in sample.labels if recipe.classes[k].positive), None)


def draw_overlays(
    looking: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe, folder: Path
) -> list[dict[str, object]]:
    """Draw each image as it is and under every method, for its finding or what was answered."""
    drawn: list[dict[str, object]] = []
    for batch, images, logits, features in look(looking, samples, recipe.input, 1):
        for row, sample in enumerate(batch):
            finding = _finding(sample, recipe)
            k = int(logits[row].argmax()) if finding is None else finding
            grey = grey_of(images.x[row], recipe.input)
            maps = [do(features[row], looking.class_weights[k]) for do in METHODS.values()]
            cells = [as_rgb(grey), *(overlay(grey, each) for each in maps)]
            if box := box_of(images.inside[row, ..., 0]):
                cells = [frame(each, box, _BOX) for each in cells]
            sheet = mosaic([enlarge(each, _SIDE) for each in cells], len(cells))
            key = image_key(sample)
            write_whole(folder / f"overlay-{key}.png", png(sheet))
            drawn.append(
                {"image": key, "class": recipe.classes[k].name, "true": k in sample.labels}
            )
    return drawn


def measure_pointing(looking: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe) -> Worth:
    """Play the pointing game on every image with a finding and its box."""
    worth = Worth()
    boxed = [s for s in samples if s.box is not None and _finding(s, recipe) is not None]
    for batch, images, _, features in look(looking, boxed, recipe.input, recipe.feeding.workers):
        for row, sample in enumerate(batch):
            inside = images.inside[row, ..., 0] > 0
            k = _finding(sample, recipe)
            if k is None or not inside.any():
                continue
            found = {
                name: point(do(features[row], looking.class_weights[k]), inside)
                for name, do in METHODS.items()
            }
            values = {f"pointing game, {name}": each.hit for name, each in found.items()}
            values[f"heat inside the box, {_MEASURED}"] = found[_MEASURED].inside
            values["pointing game and heat by chance"] = found[_MEASURED].area
            worth.add(sample.key, **values)
    return worth


def measure_curves(
    looking: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe, calibration: Calibration
) -> tuple[Worth, dict[str, list[float]]]:
    """Measure how the answer falls when what is hot is taken away, and rises when it comes back.

    Returns
    -------
    tuple
        Areas under the curves of each image, and the mean curves.
    """
    config, worth = recipe.explanation, Worth()
    chosen = evenly([s for s in samples if _finding(s, recipe) is not None], config.curve_images)
    lines: dict[str, list[np.ndarray]] = {}
    for batch, images, _, features in look(looking, chosen, recipe.input, 1):
        for row, sample in enumerate(batch):
            k, x = _finding(sample, recipe) or 0, images.x[row]
            answer = answer_of(looking, k, recipe.release.activation, calibration.temperature)
            heat = METHODS[_MEASURED](features[row], looking.class_weights[k])
            orders = {
                _MEASURED: order_of(heat, *x.shape[:2]),
                "at random": random_order(x.shape[0], x.shape[1], len(worth.patients)),
            }
            values = {}
            for name, order in orders.items():
                found = curve(x, order, blur(x, config.blur), config.curve_steps, answer)
                for kind, line in zip(("deletion", "insertion"), found, strict=True):
                    lines.setdefault(f"{kind}, {name}", []).append(line)
                    values[f"{kind}, {name}"] = area(line)
            worth.add(sample.key, **values)
    return worth, {name: np.mean(each, axis=0).tolist() for name, each in lines.items()}
