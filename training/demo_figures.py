"""How good a bundle is, measured through the very code that serves it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.demo.phantom import LabelRow, read_labels
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.model.predict import Classifier

from .demo_metrics import (
    Interval,
    auc,
    best_threshold,
    bootstrap,
    calibration_error,
    fit_temperature,
)

Indices = npt.NDArray[np.int64]

OVERALL = "all"
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Case:
    """One image or one study, classified.

    ``points`` says whether the peak of the heat map lies in the lesion's box; without a lesion it
    is None.
    """

    patient_id: str
    study_uid: str
    modality: str
    label: int
    probability: float
    points: bool | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a group of cases says of a bundle."""

    auc: Interval
    sensitivity: Interval
    specificity: Interval
    pointing: Interval
    calibration_error: float


def classify_collection(classifier: Classifier, folder: Path, positive: int) -> list[Case]:
    """Classify every image of a labelled collection.

    Parameters
    ----------
    classifier
        The bundle.
    folder
        A collection with ``labels.csv``.
    positive
        Index of the class that the label 1 stands for.
    """
    return [_classify(classifier, folder, row, positive) for row in read_labels(folder)]


def _classify(classifier: Classifier, folder: Path, row: LabelRow, positive: int) -> Case:
    pixels = read_pixels(folder / row.file)
    probabilities, saliency = classifier.predict_image(pixels)
    points = None
    if row.x0 is not None and row.y0 is not None and row.x1 is not None and row.y1 is not None:
        x, y = peak(saliency[positive], pixels.shape[0], pixels.shape[1])
        points = row.x0 <= x < row.x1 and row.y0 <= y < row.y1
    return Case(
        row.patient_id, row.study_uid, row.modality, row.label, probabilities[positive], points
    )


def peak(saliency: npt.NDArray[np.float32], rows: int, columns: int) -> tuple[float, float]:
    """Where a map that covers an image is highest.

    Parameters
    ----------
    saliency
        Shape (h, w).
    rows, columns
        Size of the image.

    Returns
    -------
    tuple
        (x, y) in pixels of the image, from its upper left corner; (-1, -1) if all is zero.
    """
    if not saliency.any():
        return -1.0, -1.0
    at_y, at_x = np.unravel_index(int(np.argmax(saliency)), saliency.shape)
    return (
        (float(at_x) + 0.5) / saliency.shape[1] * columns,
        (float(at_y) + 0.5) / saliency.shape[0] * rows,
    )


def by_study(images: Sequence[Case]) -> list[Case]:
    """Put images together as the node does with ``max``: the loudest speaks for the study.

    A study with a lesion counts as pointed at only if its loudest image shows the lesion and the
    peak lies in its box.
    """
    ordered = sorted(images, key=lambda case: case.study_uid)
    studies = []
    for _, group in groupby(ordered, key=lambda case: case.study_uid):
        cases = list(group)
        loudest = max(cases, key=lambda case: case.probability)
        label = max(case.label for case in cases)
        points = bool(loudest.points) if label else None
        studies.append(
            Case(
                loudest.patient_id,
                loudest.study_uid,
                loudest.modality,
                label,
                loudest.probability,
                points,
            )
        )
    return studies


def calibrate(images: Sequence[Case]) -> tuple[float, float]:
    """Choose temperature (on images) and threshold (on studies) from a validation split.

    Parameters
    ----------
    images
        Cases of a bundle with temperature 1 and two classes.

    Returns
    -------
    tuple
        Temperature, and threshold on the calibrated probability.
    """
    scores = np.array([case.probability for case in images])
    logits = np.log(np.maximum(np.stack([1 - scores, scores], axis=1), _TINY))
    labels = np.array([case.label for case in images], dtype=np.int64)
    temperature = round(fit_temperature(logits, labels), 4)
    studies = by_study(images)
    loudest = np.array([case.probability for case in studies])
    odds = np.log(np.maximum(loudest, _TINY)) - np.log(np.maximum(1 - loudest, _TINY))
    cut = best_threshold(odds / temperature, np.array([case.label for case in studies]))
    return temperature, float(1 / (1 + np.exp(-cut)))


def figures(cases: Sequence[Case], threshold: float) -> dict[str, Figures]:
    """Compute all figures, overall and by modality.

    Parameters
    ----------
    cases
        Images or studies.
    threshold
        Operating point.
    """
    names = [OVERALL, *sorted({case.modality for case in cases})]
    return {
        name: _figures([c for c in cases if name in (OVERALL, c.modality)], threshold)
        for name in names
    }


def _figures(cases: Sequence[Case], threshold: float) -> Figures:
    scores = np.array([case.probability for case in cases])
    labels = np.array([case.label for case in cases], dtype=np.int64)
    found = scores >= threshold
    pointed = np.array([bool(case.points) for case in cases])

    def share(values: npt.NDArray[np.bool_], among: npt.NDArray[np.bool_]) -> Interval:
        patients = [case.patient_id for case, member in zip(cases, among, strict=True) if member]
        return bootstrap(_mean_of(values[among]), patients)

    return Figures(
        auc=bootstrap(
            lambda chosen: auc(scores[chosen], labels[chosen]), [c.patient_id for c in cases]
        ),
        sensitivity=share(found, labels == 1),
        specificity=share(~found, labels == 0),
        pointing=share(pointed, labels == 1),
        calibration_error=calibration_error(scores, labels),
    )


def _mean_of(values: npt.NDArray[np.bool_]) -> Callable[[Indices], float]:
    return lambda chosen: float(values[chosen].mean())
