"""Points of the curves in a report: ROC with its band, precision-recall, reliability."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pacs_ai.statistics.bootstrap import draws
from pacs_ai.statistics.cases import Cases
from pacs_ai.statistics.metrics import Floats, Truths, bin_of, divide

_GRID = 51
_BAND_DRAWS = 500
_POINTS = 200
_HISTOGRAM = 20


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one class.

    ``roc`` has points (1 - specificity, sensitivity); ``band`` has rows (1 - specificity, lowest
    and highest sensitivity) of 95 % of the draws; ``precision_recall`` has points (recall,
    precision); ``reliability`` has rows (mean probability, share of positives, cases);
    ``histogram`` has the number of cases (without, with the class) in 20 bins of probability.
    """

    roc: list[tuple[float, float]]
    band: list[tuple[float, float, float]]
    precision_recall: list[tuple[float, float]]
    reliability: list[tuple[float, float, int]]
    histogram: list[tuple[int, int]]
    operating: tuple[float, float, float] | None


def curves(cases: Cases, k: int, bins: int) -> Curves:
    """Compute the curves of a class; an undefined curve is empty."""
    probabilities, truth = cases.probabilities[:, k], cases.truth[:, k]
    both = bool(truth.any()) and not bool(truth.all())
    return Curves(
        roc=_thin(_roc(probabilities, truth)) if both else [],
        band=_band(cases, k) if both else [],
        precision_recall=_thin(_precision_recall(probabilities, truth)) if both else [],
        reliability=reliability(probabilities, truth, bins),
        histogram=_histogram(probabilities, truth),
        operating=_operating(cases, k) if both else None,
    )


def _steps(probabilities: Floats, truth: Truths) -> tuple[Floats, Floats]:
    """Count true and false positives at each distinct threshold, from the highest down."""
    order = np.argsort(-probabilities, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(probabilities[order])), probabilities.size - 1]
    true_positives = np.cumsum(truth[order])[last].astype(np.float64)
    return true_positives, last + 1 - true_positives


def _roc(probabilities: Floats, truth: Truths) -> list[tuple[float, float]]:
    true_positives, false_positives = _steps(probabilities, truth)
    x, y = false_positives / (~truth).sum(), true_positives / truth.sum()
    return [(0.0, 0.0), *zip(x.tolist(), y.tolist(), strict=True)]


def _precision_recall(probabilities: Floats, truth: Truths) -> list[tuple[float, float]]:
    true_positives, false_positives = _steps(probabilities, truth)
    recall, precision = (
        true_positives / truth.sum(),
        divide(true_positives, true_positives + false_positives),
    )
    return list(zip(recall.tolist(), precision.tolist(), strict=True))


def _band(cases: Cases, k: int) -> list[tuple[float, float, float]]:
    """Return the range of sensitivity at 51 false positive rates, for 95 % of 500 draws."""
    probabilities, truth = cases.probabilities[:, k], cases.truth[:, k]
    order = np.argsort(-probabilities, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(probabilities[order])), probabilities.size - 1]
    grid = np.linspace(0.0, 1.0, _GRID)
    drawn = []
    for weights in draws(cases.patients, _BAND_DRAWS):
        true_positives = np.cumsum(weights[:, order] * truth[order], axis=1)[:, last]
        false_positives = np.cumsum(weights[:, order] * ~truth[order], axis=1)[:, last]
        some = (true_positives[:, -1] > 0) & (false_positives[:, -1] > 0)
        for y, x in zip(true_positives[some], false_positives[some], strict=True):
            drawn.append(np.interp(grid, np.r_[0, x / x[-1]], np.r_[0, y / y[-1]]))
    low, high = np.percentile(np.array(drawn), [2.5, 97.5], axis=0)
    return list(zip(grid.tolist(), low.tolist(), high.tolist(), strict=True))


def reliability(probabilities: Floats, truth: Truths, bins: int) -> list[tuple[float, float, int]]:
    """Return for each bin of a reliability diagram: mean probability, share of positives, cases.

    Empty bins are left out.
    """
    where = bin_of(probabilities, bins)
    return [
        (
            float(probabilities[where == b].mean()),
            float(truth[where == b].mean()),
            int((where == b).sum()),
        )
        for b in range(bins)
        if (where == b).any()
    ]


def _histogram(probabilities: Floats, truth: Truths) -> list[tuple[int, int]]:
    without, with_it = (
        np.histogram(probabilities[these], _HISTOGRAM, (0.0, 1.0))[0].tolist()
        for these in (~truth, truth)
    )
    return list(zip(without, with_it, strict=True))


def _operating(cases: Cases, k: int) -> tuple[float, float, float]:
    """Return threshold, 1 - specificity and sensitivity of a class."""
    present, truth = cases.decisions[:, k], cases.truth[:, k]
    return cases.thresholds[k], float(present[~truth].mean()), float(present[truth].mean())


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keep at most 200 points, with both ends."""
    if len(points) <= _POINTS:
        return points
    kept = np.unique(np.linspace(0, len(points) - 1, _POINTS).round().astype(int))
    return [points[i] for i in kept]


def all_curves(cases: Cases, bins: int) -> Mapping[str, Curves]:
    """Compute the curves of each class, by name."""
    return {name: curves(cases, k, bins) for k, name in enumerate(cases.question.classes)}
