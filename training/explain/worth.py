"""Measure what a heat map is worth: does it lie on the finding, does the answer hang on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.model.predict import activate
from training.evaluate.network import Classifier
from training.report.pictures import stretch
from training.statistics.bootstrap import Interval, intervals
from training.statistics.metrics import mean

Floats = npt.NDArray[np.float32]

_SEED = 17
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Pointing:
    """Whether one map points at the box of the finding.

    ``hit``: its peak lies inside. ``inside``: the share of its heat that does. ``area``: the share
    of the image that the box takes, which is what chance gives for both.
    """

    hit: float
    inside: float
    area: float


def point(saliency: Floats, inside: npt.NDArray[np.bool_]) -> Pointing:
    """Play the pointing game for one image.

    Parameters
    ----------
    saliency
        Any size, in [0, 1].
    inside
        Where the box lies, shape (height, width) of the network's input.

    Notes
    -----
    Zhang et al., Top-down neural attention by excitation backprop, 2018; the share of heat: Wang
    et al., Score-CAM, 2020. A map that is all zero points nowhere.
    """
    full = stretch(saliency, *inside.shape)
    heat = float(full.sum())
    if heat <= 0:
        return Pointing(0.0, 0.0, float(inside.mean()))
    peak = np.unravel_index(int(full.argmax()), full.shape)
    return Pointing(float(inside[peak]), float(full[inside].sum()) / heat, float(inside.mean()))


def blur(x: Floats, share: float) -> Floats:
    """Blur an image, shape (h, w, c), by a Gaussian whose deviation is a share of its side."""
    down, across = (_gaussian(size, share * max(x.shape[:2])) for size in x.shape[:2])
    spread = np.einsum("ij,jkc,lk->ilc", down, x, across, optimize=True)
    return np.asarray(spread, dtype=np.float32)


def _gaussian(size: int, deviation: float) -> npt.NDArray[np.float64]:
    places = np.arange(size)
    kernel = np.exp(-((places[:, None] - places[None, :]) ** 2) / (2 * deviation**2))
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def curve(
    x: Floats,
    order: npt.NDArray[np.int64],
    blurred: Floats,
    steps: int,
    answer: Callable[[Floats], Floats],
) -> tuple[Floats, Floats]:
    """Take an image away, and bring it back, in an order of its pixels.

    Parameters
    ----------
    x
        The network's input, shape (h, w, c).
    order
        Pixels (indices into h * w), the most important first.
    blurred
        What stands where a pixel is taken away.
    steps
        Number of steps.
    answer
        The class' probability, for images (n, h, w, c).

    Returns
    -------
    tuple
        Probabilities after 0 ... all steps of deletion, and of insertion; shapes (steps + 1,).

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
    """Sort the pixels of the input by a map stretched over it, the hottest first."""
    return np.argsort(-stretch(saliency, height, width).ravel(), kind="stable")


def random_order(height: int, width: int, number: int) -> npt.NDArray[np.int64]:
    """Draw an order by chance, the same for the same number: in blocks as coarse as a heat map."""
    rng = np.random.default_rng([_SEED, number])
    coarse = rng.uniform(size=(max(1, height // 8), max(1, width // 8))).astype(np.float32)
    return order_of(coarse, height, width)


def area(probabilities: Floats) -> float:
    """Area under a curve of equal steps, in [0, 1]."""
    return float((probabilities[1:] + probabilities[:-1]).mean() / 2)


def answer_of(
    network: Classifier, k: int, activation: str, temperature: float
) -> Callable[[Floats], Floats]:
    """Make the function that gives a class' probability for any images, some at a time."""

    def answer(x: Floats) -> Floats:
        logits = [
            network.predict(x[start : start + _AT_ONCE])[0] for start in range(0, len(x), _AT_ONCE)
        ]
        return activate(np.concatenate(logits), activation, temperature)[:, k].astype(np.float32)

    return answer


def means(
    values: Mapping[str, Sequence[float]], patients: Sequence[str], resamples: int
) -> dict[str, Interval]:
    """Average figures of single images, each with its interval over patients."""
    if not patients:
        return {}
    table = {name: np.array(each, dtype=np.float64) for name, each in values.items()}
    return intervals(
        lambda weights: {name: mean(each, weights) for name, each in table.items()},
        patients,
        resamples,
    )
