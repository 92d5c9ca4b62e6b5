"""Measure heat maps: whether they cover the finding, and whether the prediction depends on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.model.predict import activate
from pacs_ai.statistics.bootstrap import Interval, intervals
from pacs_ai.statistics.metrics import mean
from training.evaluate.network import Classifier
from training.report.pictures import stretch

Floats = npt.NDArray[np.float32]

_SEED = 17
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Pointing:
    """Whether one heat map points at the box of the finding.

    ``hit`` is 1 if its peak is in the box, else 0. ``inside`` is the share of its heat in the box.
    ``area`` is the share of the image that the box covers, the expected value of both by chance.
    """

    hit: float
    inside: float
    area: float


def pointing_game(saliency: Floats, inside: npt.NDArray[np.bool_]) -> Pointing:
    """Compute the pointing game for one image.

    Parameters
    ----------
    saliency
        Any size, in [0, 1].
    inside
        1 in the box, shape (height, width) of the input of the network.

    Notes
    -----
    Zhang et al., Top-down neural attention by excitation backprop, 2018; the share of heat: Wang
    et al., Score-CAM, 2020. A map that is all zero has no peak.
    """
    full = stretch(saliency, *inside.shape)
    heat = float(full.sum())
    if heat <= 0:
        return Pointing(0.0, 0.0, float(inside.mean()))
    peak = np.unravel_index(int(full.argmax()), full.shape)
    return Pointing(float(inside[peak]), float(full[inside].sum()) / heat, float(inside.mean()))


def blur(x: Floats, share: float) -> Floats:
    """Blur an image (h, w, c) by a Gaussian; ``share`` is its deviation relative to the side."""
    down, across = (gaussian(size, share * max(x.shape[:2])) for size in x.shape[:2])
    spread = np.einsum("ij,jkc,lk->ilc", down, x, across, optimize=True)
    return np.asarray(spread, dtype=np.float32)


def gaussian(size: int, deviation: float) -> npt.NDArray[np.float64]:
    """Return the matrix (size, size) that blurs along one axis by a Gaussian; rows sum to 1."""
    places = np.arange(size)
    kernel = np.exp(-((places[:, None] - places[None, :]) ** 2) / (2 * deviation**2))
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def deletion_insertion(
    x: Floats,
    order: npt.NDArray[np.int64],
    blurred: Floats,
    steps: int,
    answer: Callable[[Floats], Floats],
) -> tuple[Floats, Floats]:
    """Delete the pixels of an image, and insert them again, in a given order.

    Parameters
    ----------
    x
        Input of the network, shape (h, w, c).
    order
        Indices of pixels in h * w, the most important first.
    blurred
        The image that replaces deleted pixels.
    steps
        Number of steps.
    answer
        Computes the probability of the class, from images (n, h, w, c) to (n,).

    Returns
    -------
    tuple
        Probabilities after each step of deletion, and of insertion; shapes (steps + 1,).

    Notes
    -----
    Petsiuk et al., RISE, 2018.
    """
    rank = np.empty(order.size, dtype=np.int64)
    rank[order] = np.arange(order.size)
    cuts = np.linspace(0, order.size, steps + 1).round()
    gone = (rank[None, :] < cuts[:, None]).reshape(-1, *x.shape[:2], 1)
    seen = np.concatenate([np.where(gone, blurred, x), np.where(gone, x, blurred)])
    found = answer(seen.astype(np.float32))
    return found[: steps + 1], found[steps + 1 :]


def order_of(saliency: Floats, height: int, width: int) -> npt.NDArray[np.int64]:
    """Sort the pixels of the input by the stretched heat map, the hottest first."""
    return np.argsort(-stretch(saliency, height, width).ravel(), kind="stable")


def random_order(height: int, width: int, number: int) -> npt.NDArray[np.int64]:
    """Return a random order in coarse blocks like a heat map; the same number gives the same."""
    rng = np.random.default_rng([_SEED, number])
    coarse = rng.uniform(size=(max(1, height // 8), max(1, width // 8))).astype(np.float32)
    return order_of(coarse, height, width)


def area_under_curve(probabilities: Floats) -> float:
    """Compute the area under a curve of equal steps, in [0, 1]."""
    return float((probabilities[1:] + probabilities[:-1]).mean() / 2)


def probability_function(
    network: Classifier, k: int, activation: str, temperature: float
) -> Callable[[Floats], Floats]:
    """Return a function from images (n, h, w, c) to the probabilities of a class, shape (n,)."""

    def answer(x: Floats) -> Floats:
        logits = [
            network.predict(x[start : start + _AT_ONCE])[0] for start in range(0, len(x), _AT_ONCE)
        ]
        return activate(np.concatenate(logits), activation, temperature)[:, k].astype(np.float32)

    return answer


def means(
    values: Mapping[str, Sequence[float]], patients: Sequence[str], resamples: int
) -> dict[str, Interval]:
    """Average values of single images, with intervals over patients."""
    if not patients:
        return {}
    table = {name: np.array(each, dtype=np.float64) for name, each in values.items()}
    return intervals(
        lambda weights: {name: mean(each, weights) for name, each in table.items()},
        patients,
        resamples,
    )
