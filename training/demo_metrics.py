"""Figures and their intervals, numpy only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

_RESAMPLES = 2000
_SEED = 95


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval, all in [0, 1], and the number of cases it rests on."""

    value: float
    low: float
    high: float
    cases: int


def auc(scores: Scores, labels: Labels) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative.

    Parameters
    ----------
    scores
        Shape (n,).
    labels
        Shape (n,), 0 or 1.

    Returns
    -------
    float
        In [0, 1]; not a number if only one class is there. Ties count half.
    """
    positives = int(labels.sum())
    negatives = labels.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    below = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(below / (positives * negatives))


def bootstrap(figure: Callable[[npt.NDArray[np.int64]], float], patients: list[str]) -> Interval:
    """Give a figure its 95 % interval by drawing patients, not images, with replacement.

    Parameters
    ----------
    figure
        Computes it from indices of cases; not a number where it is not defined.
    patients
        The patient of each case.
    """
    _, owner = np.unique(np.array(patients), return_inverse=True)
    order = np.argsort(owner, kind="stable")
    cases = np.split(order, np.cumsum(np.bincount(owner))[:-1])
    rng = np.random.default_rng(_SEED)
    drawn = [
        figure(np.concatenate([cases[i] for i in rng.integers(len(cases), size=len(cases))]))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    value = figure(np.arange(len(patients)))
    return Interval(value, float(low), float(high), len(patients))


def fit_temperature(logits: Scores, labels: Labels) -> float:
    """Find the temperature that makes softmax probabilities mean what they say.

    Parameters
    ----------
    logits
        Shape (n, classes), of images not trained on.
    labels
        Shape (n,).

    Returns
    -------
    float
        The minimum of the negative log-likelihood in [0.05, 20], by golden section.

    Notes
    -----
    Guo et al., On calibration of modern neural networks, 2017.
    """

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(labels.size), labels]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - chosen))

    ratio = (np.sqrt(5) - 1) / 2
    low, high = np.log(0.05), np.log(20.0)
    for _ in range(60):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def calibration_error(probabilities: Scores, labels: Labels, bins: int = 10) -> float:
    """Mean how far a probability is from what came true (expected calibration error)."""
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    error = 0.0
    for index in range(bins):
        inside = bin_of == index
        if inside.any():
            gap = probabilities[inside].mean() - labels[inside].mean()
            error += float(abs(gap)) * float(inside.mean())
    return error


def best_threshold(scores: Scores, labels: Labels) -> float:
    """Choose the operating point with the highest sensitivity + specificity.

    Of equals the middle one is taken, half way between two scores.
    """
    values = np.unique(scores)
    cuts = (values[1:] + values[:-1]) / 2
    if cuts.size == 0:
        return 0.5
    sensitivity = np.array([(scores[labels == 1] >= cut).mean() for cut in cuts])
    specificity = np.array([(scores[labels == 0] < cut).mean() for cut in cuts])
    best = np.flatnonzero(sensitivity + specificity >= (sensitivity + specificity).max() - 1e-12)
    return float(cuts[best[best.size // 2]])
