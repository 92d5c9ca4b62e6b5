"""The points of the curves in a report: ROC with its band, precision and recall, reliability."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.evaluate.cases import Cases
from training.statistics.bootstrap import draws
from training.statistics.calibration import reliability
from training.statistics.metrics import Floats, Truths, divide

_GRID = 51
_BAND_DRAWS = 500
_POINTS = 200
_HISTOGRAM = 20


@dataclass(frozen=True, slots=True)
class Curves:
    """What is drawn of one class.

    ``roc`` holds points (1 - specificity, sensitivity), ``band`` rows (1 - specificity, lowest,
    highest sensitivity) of 95 % of the draws, ``precision_recall`` points (recall, precision),
    ``reliability`` rows (mean probability, share that came true, cases), ``histogram`` the cases
    in each of 20 bins of probability, (without, with the class).
    """

    roc: list[tuple[float, float]]
    band: list[tuple[float, float, float]]
    precision_recall: list[tuple[float, float]]
    reliability: list[tuple[float, float, int]]
    histogram: list[tuple[int, int]]
    operating: tuple[float, float, float] | None


def curves(cases: Cases, k: int, bins: int) -> Curves:
    """Compute the curves of a class; those that are not defined are empty."""
    chances, truth = cases.chances[:, k], cases.truth[:, k]
    both = bool(truth.any()) and not bool(truth.all())
    return Curves(
        roc=_thin(_roc(chances, truth)) if both else [],
        band=_band(cases, k) if both else [],
        precision_recall=_thin(_precision_recall(chances, truth)) if both else [],
        reliability=reliability(chances, truth, bins),
        histogram=_histogram(chances, truth),
        operating=_operating(cases, k) if both else None,
    )


def _steps(chances: Floats, truth: Truths) -> tuple[Floats, Floats]:
    """Count true and false positives at each distinct threshold, from the highest down."""
    order = np.argsort(-chances, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(chances[order])), chances.size - 1]
    hits = np.cumsum(truth[order])[last].astype(np.float64)
    return hits, last + 1 - hits


def _roc(chances: Floats, truth: Truths) -> list[tuple[float, float]]:
    hits, alarms = _steps(chances, truth)
    x, y = alarms / (~truth).sum(), hits / truth.sum()
    return [(0.0, 0.0), *zip(x.tolist(), y.tolist(), strict=True)]


def _precision_recall(chances: Floats, truth: Truths) -> list[tuple[float, float]]:
    hits, alarms = _steps(chances, truth)
    recall, precision = hits / truth.sum(), divide(hits, hits + alarms)
    return list(zip(recall.tolist(), precision.tolist(), strict=True))


def _band(cases: Cases, k: int) -> list[tuple[float, float, float]]:
    """Sensitivity at each of 51 false positive rates, in 95 % of 500 draws of patients."""
    chances, truth = cases.chances[:, k], cases.truth[:, k]
    order = np.argsort(-chances, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(chances[order])), chances.size - 1]
    grid = np.linspace(0.0, 1.0, _GRID)
    drawn = []
    for weights in draws(cases.patients, _BAND_DRAWS):
        hits = np.cumsum(weights[:, order] * truth[order], axis=1)[:, last]
        alarms = np.cumsum(weights[:, order] * ~truth[order], axis=1)[:, last]
        some = (hits[:, -1] > 0) & (alarms[:, -1] > 0)
        for y, x in zip(hits[some], alarms[some], strict=True):
            drawn.append(np.interp(grid, np.r_[0, x / x[-1]], np.r_[0, y / y[-1]]))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    return list(zip(grid.tolist(), low.tolist(), high.tolist(), strict=True))


def _histogram(chances: Floats, truth: Truths) -> list[tuple[int, int]]:
    without, with_it = (
        np.histogram(chances[these], _HISTOGRAM, (0.0, 1.0))[0].tolist()
        for these in (~truth, truth)
    )
    return list(zip(without, with_it, strict=True))


def _operating(cases: Cases, k: int) -> tuple[float, float, float]:
    """Threshold, 1 - specificity and sensitivity of a class."""
    present, truth = cases.present[:, k], cases.truth[:, k]
    return cases.thresholds[k], float(present[~truth].mean()), float(present[truth].mean())


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep at most 200 points, the ends among them."""
    if len(points) <= _POINTS:
        return points
    kept = np.unique(np.linspace(0, len(points) - 1, _POINTS).round().astype(int))
    return [points[i] for i in kept]


def all_curves(cases: Cases, bins: int) -> Mapping[str, Curves]:
    """Compute the curves of every class by name."""
    return {name: curves(cases, k, bins) for k, name in enumerate(cases.question.classes)}
