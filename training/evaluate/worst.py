"""The most confident errors of a model, with their heat maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.spec import InputSpec
from pacs_ai.statistics.cases import Cases
from training.data.samples import Sample
from training.evaluate.network import Classifier
from training.evaluate.score import run_batches
from training.report.pictures import Picture, as_rgb, enlarge, frame, grey_of, mosaic, overlay

_SIDE = 176
_BOX = (64, 220, 200)


@dataclass(frozen=True, slots=True)
class Error:
    """One image with a wrong prediction.

    ``said`` is the predicted class, with its ``probability``. For sigmoid, ``said`` starts with
    "no " if a finding was missed. ``looked_at`` is the index of the class of the heat map.
    """

    image: str
    patient: str
    true: str
    said: str
    probability: float
    looked_at: int


def worst_errors(images: Cases, count: int) -> list[tuple[int, Error]]:
    """List the most confident errors, the worst first.

    Parameters
    ----------
    images
        Cases that are images.
    count
        The largest number of errors.

    Returns
    -------
    list
        Index of the case and the error.
    """
    if images.question.activation == "softmax":
        return _wrong_class(images, count)
    return _wrong_decision(images, count)


def _wrong_class(images: Cases, count: int) -> list[tuple[int, Error]]:
    names, said, true = images.question.classes, images.predicted, images.true_classes
    sure = images.probabilities[np.arange(said.size), said]
    wrong = np.flatnonzero(said != true)
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    return [
        (int(i), _error(images, int(i), names[true[i]], names[said[i]], int(said[i])))
        for i in chosen
    ]


def _wrong_decision(images: Cases, count: int) -> list[tuple[int, Error]]:
    present, names = images.decisions, images.question.classes
    cuts = np.array(images.thresholds)
    room = np.where(present, 1 - cuts, cuts)
    sure = np.abs(images.probabilities - cuts) / np.maximum(room, np.finfo(float).tiny)
    wrong = np.argwhere(present != images.truth)
    order = np.argsort(-sure[wrong[:, 0], wrong[:, 1]], kind="stable")[:count]
    found = []
    for i, k in wrong[order]:
        true = ", ".join(names[j] for j in np.flatnonzero(images.truth[i])) or "none"
        said = names[k] if present[i, k] else f"no {names[k]}"
        found.append((int(i), _error(images, int(i), true, said, int(k))))
    return found


def _error(images: Cases, i: int, true: str, said: str, k: int) -> Error:
    return Error(
        images.keys[i], images.patients[i], true, said, float(images.probabilities[i, k]), k
    )


def draw_errors(
    errors: Sequence[tuple[int, Error]],
    samples: Sequence[Sample],
    network: Classifier,
    spec: InputSpec,
) -> Mapping[str, Picture]:
    """Draw each error: the input of the network, and beside it the heat map.

    Parameters
    ----------
    errors
        From `worst_errors`.
    samples
        The samples of the cases, in the same order.
    network
        Computes the heat maps.
    spec
        The input of the network.

    Returns
    -------
    Mapping
        Picture by key of the image. The box of the finding is drawn, if it is known.
    """
    chosen = [samples[i] for i, _ in errors]
    drawn: dict[str, Picture] = {}
    done = 0
    for batch, images, _, features in run_batches(network, chosen, spec, 1):
        for row in range(len(batch)):
            error = errors[done][1]
            grey = grey_of(images.x[row], spec)
            heat = gradcam(features[row], network.class_weights[error.looked_at])
            pair = [as_rgb(grey), overlay(grey, heat)]
            box = box_of(images.inside[row, ..., 0])
            pair = [frame(each, box, _BOX) if box else each for each in pair]
            drawn[error.image] = mosaic([enlarge(each, _SIDE) for each in pair], 2)
            done += 1
    return drawn


def box_of(inside: np.ndarray) -> tuple[int, int, int, int] | None:
    """Find the box (x0, y0, x1, y1) around the pixels above 0 of a mask, shape (h, w)."""
    down, across = (
        np.flatnonzero((inside > 0).any(axis=1)),
        np.flatnonzero((inside > 0).any(axis=0)),
    )
    if not down.size:
        return None
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1
