"""Compare a network of eight bits with the one in float32 that it was made from."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pacs_ai.domain import ClassSpec, Decision
from pacs_ai.errors import PrecisionRefused
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.predict import activate
from pacs_ai.model.quantisation import LIMITS, QuantisationReport
from pacs_ai.model.runtime import Runtime
from training.bundle.parity import auc_difference

Images = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Split = Literal["validation", "folder"]

_WORST = 5
_THREADS = 2
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Comparison:
    """The images on which networks are compared, and what the network in float32 says of them.

    ``probabilities`` has shape (n, classes); ``maps`` has a heat map (h, w) for each image and each
    class of ``shown``: what a reader would see. ``truth`` has shape (n, classes).
    """

    images: Images
    split: Split
    labelled: bool
    truth: Truths
    probabilities: Floats
    maps: list[list[Images]]
    shown: list[list[int]]


def run_original(
    bundle: ModelBundle,
    images: Images,
    labels: Truths | None,
    split: Split,
) -> Comparison:
    """Run the network in float32 on images.

    Parameters
    ----------
    bundle
        The bundle in float32.
    images
        Preprocessed, shape (n, height, width, c). None of them gives ranges of the quantisation.
    labels
        Shape (n, classes). None if they have no labels: then the decisions of this network take
        their place.
    split
        Where the images come from.
    """
    runtime, classes = Runtime(bundle, _THREADS), bundle.identity.classes
    probabilities, maps, shown = [], [], []
    for image in images:
        chances, features = _predict(runtime, bundle, image)
        seen = _shown(chances, classes)
        probabilities.append(chances)
        shown.append(seen)
        maps.append([gradcam(features, bundle.class_weights[k]) for k in seen])
    table = np.array(probabilities)
    decisions = np.array(
        [[_decided(spec, p) for spec, p in zip(classes, row, strict=True)] for row in table]
    )
    truth = decisions if labels is None else labels
    return Comparison(images, split, labels is not None, truth, table, maps, shown)


def compare_precision(
    original: ModelBundle, smaller: ModelBundle, seen: Comparison
) -> QuantisationReport:
    """Run a network of eight bits on the same images, and measure the differences.

    Parameters
    ----------
    original
        The bundle in float32.
    smaller
        The other one; its report, if it has one, is not read.
    seen
        From `run_original`.

    Raises
    ------
    PrecisionRefused
        If no class has images with it and images without it: its AUC is not defined.
    """
    runtime = Runtime(smaller, _THREADS)
    probabilities, correlations = [], []
    for image, classes, maps in zip(seen.images, seen.shown, seen.maps, strict=True):
        chances, features = _predict(runtime, smaller, image)
        probabilities.append(chances)
        correlations += [
            _correlation(before, gradcam(features, smaller.class_weights[k]))
            for k, before in zip(classes, maps, strict=True)
        ]
    table = np.array(probabilities)
    area = auc_difference(seen.probabilities, table, seen.truth)
    if area is None:
        raise PrecisionRefused(
            "the AUC cannot be compared: no class has images with it and images without it "
            f"among the {len(seen.images)} of the {seen.split}"
        )
    return QuantisationReport(
        network=smaller.identity.sha256,
        original=original.identity.sha256,
        images=len(seen.images),
        split=seen.split,
        images_sha256=hashlib.sha256(seen.images.tobytes()).hexdigest(),
        truth="labels" if seen.labelled else "decisions",
        auc_difference=round(area, _DIGITS),
        probability_difference=round(float(np.abs(table - seen.probabilities).max()), _DIGITS),
        map_correlation=round(float(np.mean(correlations)), _DIGITS),
        lowest_map_correlation=round(float(np.percentile(correlations, _WORST)), _DIGITS),
        limits=LIMITS,
    )


def _predict(runtime: Runtime, bundle: ModelBundle, image: Images) -> tuple[Floats, Images]:
    logits, features = runtime.predict(image[None])
    return activate(logits[0], bundle.identity.activation, bundle.temperature), features[0]


def _shown(chances: Floats, classes: Sequence[ClassSpec]) -> list[int]:
    """Return the classes whose heat maps a reader would see: those present, else the likeliest."""
    positive = [k for k, spec in enumerate(classes) if spec.positive]
    present = [k for k in positive if _decided(classes[k], chances[k])]
    return present or sorted(positive, key=lambda k: -chances[k])[:1]


def _decided(spec: ClassSpec, probability: float) -> bool:
    """Tell whether a class is present; one that is not positive is decided by its threshold."""
    if spec.positive:
        return spec.decide(float(probability)) is Decision.PRESENT
    return bool(probability >= spec.threshold)


def _correlation(a: Images, b: Images) -> float:
    """Compute Pearson's correlation; 1 for two maps without contrast, 0 if one alone has none."""
    flat = a.std() == 0, b.std() == 0
    if any(flat):
        return float(all(flat))
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
