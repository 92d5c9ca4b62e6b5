"""Explain a run: draw heat maps and feature maps, and measure how faithful they are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from pacs_ai.files import atomic_write
from training.data.samples import Dataset, Sample
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import as_json, calibration_of
from training.evaluate.results import jsonable
from training.evaluate.score import image_key, run_batches
from training.evaluate.worst import box_of
from training.explain.faithfulness import (
    area_under_curve,
    blur,
    deletion_insertion,
    means,
    order_of,
    pointing_game,
    probability_function,
    random_order,
)
from training.explain.feature_visualisation import choose_layers, feature_maps, maximise_activations
from training.explain.saliency import METHODS
from training.explain.sanity import check_sanity
from training.recipe.recipe import Recipe
from training.report.explanation_page import write_page
from training.report.pictures import as_rgb, enlarge, frame, grey_of, mosaic, overlay, png
from training.run.disk import draft_of
from training.run.run import Run
from training.statistics.calibration import Calibration

EXPLAINED = "explain.json"
_BOX = (64, 220, 200)
_SIDE = 160
_MEASURED = "Grad-CAM"


@dataclass(slots=True)
class ImageMeasures:
    """Measured values of single images by name, and the patient of each image."""

    values: dict[str, list[float]] = field(default_factory=dict)
    patients: list[str] = field(default_factory=list)

    def add(self, patient: str, **values: float) -> None:
        """Add the values of one image."""
        self.patients.append(patient)
        for name, value in values.items():
            self.values.setdefault(name, []).append(value)


def explain(run: Run, recipe: Recipe, dataset: Dataset, network: keras.Model) -> dict[str, object]:
    """Draw overlays, feature maps and maximised activations, and measure the heat maps.

    Parameters
    ----------
    run
        It must be evaluated already. It gets ``explain/`` with PNG files, ``explain.json`` and
        ``explain.html``.
    recipe
        Has the numbers of images, layers and steps.
    dataset
        The test split is explained.
    network
        The trained network.

    Returns
    -------
    dict
        The content of ``explain.json``: under ``measured`` the figures with their intervals, under
        ``sanity`` what `check_sanity` found.
    """
    calibration = calibration_of(run)
    layers = choose_layers(network, recipe.explanation.layers)
    with draft_of(run.explain) as draft:
        return _explain_in(draft, run, recipe, dataset.test, network, (layers, calibration))


def _explain_in(
    folder: Path,
    run: Run,
    recipe: Recipe,
    test: Sequence[Sample],
    network: keras.Model,
    given: tuple[Sequence[str], Calibration],
) -> dict[str, object]:
    """Write all files of an explanation into a folder; ``given`` are layers and calibration."""
    (layers, calibration), config = given, recipe.explanation
    classifier = TrainedNetwork(network)
    shown = evenly_by_class(test, config.images)
    run.log(f"drawing heat maps of {len(shown)} images")
    images = draw_overlays(classifier, shown, recipe, folder)
    example = next((s for s in shown if _finding(s, recipe) is not None), shown[0])
    run.log("drawing feature maps and maximised activations")
    seen = next(iter(run_batches(classifier, [example], recipe.input, 1)))[1].x
    _draw_inside(folder, network, seen, layers, recipe)
    run.log("measuring how faithful the heat maps are")
    pointing = measure_pointing(classifier, test, recipe)
    faithfulness, curves = measure_curves(classifier, test, recipe, calibration)
    resamples = recipe.evaluation.resamples
    run.log("comparing the heat maps with those of random weights")
    chosen = evenly_by_class(_explained(test, recipe), config.curve_images)
    sanity = check_sanity(folder, network, chosen, [_class_of(s, recipe) for s in chosen], recipe)
    measured = {
        **means(pointing.values, pointing.patients, resamples),
        **means(faithfulness.values, faithfulness.patients, resamples),
    }
    found = {
        "format": 1,
        "model": {"name": recipe.release.name, "version": recipe.release.version},
        "classes": [entry.name for entry in recipe.classes],
        "images": images,
        "example": image_key(example),
        "layers": list(layers),
        "boxes": len(pointing.patients),
        "measured": jsonable(measured),
        "curves": jsonable(curves),
        "sanity": sanity,
        **run.provenance("explain").to_dict(),
    }
    atomic_write(folder / EXPLAINED, as_json(found))
    write_page(folder)
    return found


def _draw_inside(
    folder: Path, network: keras.Model, x: np.ndarray, layers: Sequence[str], recipe: Recipe
) -> None:
    """Draw feature maps of an input, shape (1, h, w, c), and what each class likes most."""
    config = recipe.explanation
    for number, layer in enumerate(layers):
        picture = feature_maps(network, x, layer, config.channels)
        atomic_write(folder / f"features-{number}.png", png(picture))
    every = range(len(recipe.classes))
    maximised = maximise_activations(network, every, recipe.input, config.steps)
    for k, picture in zip(every, maximised, strict=True):
        atomic_write(folder / f"class-{k}.png", png(picture))


def _explained(samples: Sequence[Sample], recipe: Recipe) -> Sequence[Sample]:
    """Return the images that have a finding; all if none has one."""
    return [s for s in samples if _finding(s, recipe) is not None] or samples


def _class_of(sample: Sample, recipe: Recipe) -> int:
    """Return the finding of an image, else its first class."""
    return next((k for k in (_finding(sample, recipe), *sample.labels) if k is not None), 0)


def evenly_by_class(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Choose samples evenly from the classes, taking turns between them."""
    ranks: dict[tuple[int, ...], int] = {}
    ranked: list[tuple[int, tuple[int, ...], int, Sample]] = []
    for sample in samples:
        rank = ranks[sample.labels] = ranks.get(sample.labels, -1) + 1
        ranked.append((rank, sample.labels, len(ranked), sample))
    return [sample for *_, sample in sorted(ranked, key=lambda each: each[:3])[:count]]


def _finding(sample: Sample, recipe: Recipe) -> int | None:
    """Return the first finding that is true for an image, None if there is none."""
    return next((k for k in sample.labels if recipe.classes[k].positive), None)


def draw_overlays(
    classifier: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe, folder: Path
) -> list[dict[str, object]]:
    """Draw each image, and its heat map by each method, for its finding or the predicted class."""
    drawn: list[dict[str, object]] = []
    for batch, images, logits, features in run_batches(classifier, samples, recipe.input, 1):
        for row, sample in enumerate(batch):
            finding = _finding(sample, recipe)
            k = int(logits[row].argmax()) if finding is None else finding
            grey = grey_of(images.x[row], recipe.input)
            maps = [do(features[row], classifier.class_weights[k]) for do in METHODS.values()]
            cells = [as_rgb(grey), *(overlay(grey, each) for each in maps)]
            if box := box_of(images.inside[row, ..., 0]):
                cells = [frame(each, box, _BOX) for each in cells]
            sheet = mosaic([enlarge(each, _SIDE) for each in cells], len(cells))
            key = image_key(sample)
            atomic_write(folder / f"overlay-{key}.png", png(sheet))
            drawn.append(
                {"image": key, "class": recipe.classes[k].name, "true": k in sample.labels}
            )
    return drawn


def measure_pointing(
    classifier: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe
) -> ImageMeasures:
    """Compute the pointing game for each image that has a finding with a box."""
    measures = ImageMeasures()
    boxed = [s for s in samples if s.box is not None and _finding(s, recipe) is not None]
    for batch, images, _, features in run_batches(
        classifier, boxed, recipe.input, recipe.feeding.workers
    ):
        for row, sample in enumerate(batch):
            inside = images.inside[row, ..., 0] > 0
            k = _finding(sample, recipe)
            if k is None or not inside.any():
                continue
            found = {
                name: pointing_game(do(features[row], classifier.class_weights[k]), inside)
                for name, do in METHODS.items()
            }
            values = {f"pointing game, {name}": each.hit for name, each in found.items()}
            values[f"heat inside the box, {_MEASURED}"] = found[_MEASURED].inside
            values["pointing game and heat by chance"] = found[_MEASURED].area
            measures.add(sample.key, **values)
    return measures


def measure_curves(
    classifier: TrainedNetwork, samples: Sequence[Sample], recipe: Recipe, calibration: Calibration
) -> tuple[ImageMeasures, dict[str, list[float]]]:
    """Measure the probability while the hottest pixels are deleted, and while they are inserted.

    Returns
    -------
    tuple
        Areas under the curves for each image, and the mean curves.
    """
    config, measures = recipe.explanation, ImageMeasures()
    chosen = evenly_by_class(
        [s for s in samples if _finding(s, recipe) is not None], config.curve_images
    )
    lines: dict[str, list[np.ndarray]] = {}
    for batch, images, _, features in run_batches(classifier, chosen, recipe.input, 1):
        for row, sample in enumerate(batch):
            k, x = _finding(sample, recipe) or 0, images.x[row]
            answer = probability_function(
                classifier, k, recipe.release.activation, calibration.temperature
            )
            heat = METHODS[_MEASURED](features[row], classifier.class_weights[k])
            orders = {
                _MEASURED: order_of(heat, *x.shape[:2]),
                "at random": random_order(x.shape[0], x.shape[1], len(measures.patients)),
            }
            values = {}
            for name, order in orders.items():
                found = deletion_insertion(
                    x, order, blur(x, config.blur), config.curve_steps, answer
                )
                for kind, line in zip(("deletion", "insertion"), found, strict=True):
                    lines.setdefault(f"{kind}, {name}", []).append(line)
                    values[f"{kind}, {name}"] = area_under_curve(line)
            measures.add(sample.key, **values)
    return measures, {name: np.mean(each, axis=0).tolist() for name, each in lines.items()}
