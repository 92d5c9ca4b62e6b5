"""The sanity check of an explanation: similarities, their picture, and a verdict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pacs_ai.files import atomic_write
from pacs_ai.model.spec import InputSpec
from pacs_ai.statistics.bootstrap import Interval
from training.data.read import load_images
from training.data.samples import Sample
from training.evaluate.results import jsonable
from training.explain.faithfulness import means
from training.explain.randomisation import LIMIT, Floats, Maps, compare_with_random
from training.recipe.recipe import Recipe
from training.report.explanation_page import SANITY
from training.report.pictures import as_rgb, enlarge, grey_of, mosaic, overlay, png

_ROWS = 3
_SIDE = 120


def check_sanity(
    folder: Path,
    network: keras.Model,
    samples: Sequence[Sample],
    classes: Sequence[int],
    recipe: Recipe,
) -> dict[str, Any] | None:
    """Compare the heat maps of a network with those of random weights; see `randomisation`.

    Parameters
    ----------
    folder
        Gets ``sanity.png``: some images with their maps, trained and after each step.
    network
        The trained network.
    samples
        Images.
    classes
        The class whose map is compared, for each image.
    recipe
        Has the input of the network, and the number of draws of patients.

    Returns
    -------
    dict or None
        Values for JSON: for each step the mean similarities with their intervals, whether the map
        ``depends`` on the weights, and the same in a sentence. None if no image has a map.
    """
    if not samples:
        return None
    images = load_images(samples, recipe.input, len(recipe.classes), 1).x
    found, maps = compare_with_random(network, images, classes)
    patients = [
        sample.key for sample, each in zip(samples, maps[0], strict=True) if np.ptp(each) > 0
    ]
    if not patients:
        return None
    steps = []
    for each in found:
        values = {"rank_correlation": each.rank_correlation, "ssim": each.ssim}
        steps.append({"step": each.step} | means(values, patients, recipe.evaluation.resamples))
    atomic_write(folder / SANITY, png(_picture(images, maps, recipe.input)))
    last = steps[-1]["rank_correlation"]
    assert isinstance(last, Interval)  # noqa: S101 - `means` made it
    return {
        "images": len(patients),
        "steps": jsonable(steps),
        "limit": LIMIT,
        "depends": last.high < LIMIT,
        "verdict": _verdict(last),
    }


def _verdict(last: Interval) -> str:
    measured = (
        f"with all weights random, the rank correlation with the trained maps is {last.value:.2f} "
        f"(95 % interval {last.low:.2f} to {last.high:.2f})"
    )
    if last.high < LIMIT:
        return f"The map depends on the weights: {measured}, below {LIMIT:g}."
    return (
        f"The map is NOT shown to depend on the weights: {measured}, which reaches {LIMIT:g}. It "
        "may show the image, and not what the network has learned."
    )


def _picture(images: Floats, maps: Sequence[Maps], spec: InputSpec) -> np.ndarray:
    """Draw some images; beside each the trained map, and the map after each step."""
    cells = []
    for row in range(min(_ROWS, len(images))):
        grey = grey_of(images[row], spec)
        cells += [as_rgb(grey), *(overlay(grey, each[row]) for each in maps)]
    return mosaic([enlarge(each, _SIDE) for each in cells], 1 + len(maps))
