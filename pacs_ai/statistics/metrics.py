"""Metrics of a classifier, computed for many bootstrap draws at once.

A bootstrap draw is a weight for each case: how often its patient was drawn. Each function takes
such weights, shape (draws, n), and returns an array whose first axis is the draws, so that two
thousand draws are a few matrix products. One row of ones gives the metric of all cases. A metric
that is not defined for a draw (such as an AUC without positives) is not a number.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]


def mean(values: Floats, weights: Floats) -> Floats:
    """Compute the weighted mean of a value of each case.

    Parameters
    ----------
    values
        Shape (n,) or (n, k).
    weights
        Shape (draws, n), at least 0.

    Returns
    -------
    Floats
        Shape (draws,) or (draws, k).
    """
    total = weights.sum(axis=1)
    if values.ndim == 2:  # noqa: PLR2004 - cases and values
        total = total[:, None]
    return divide(weights @ values, total)


def divide(above: Floats, below: Floats) -> Floats:
    """Divide; 0 / 0 is not a number, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below, dtype=np.float64)


def auc(scores: Floats, truth: Truths, weights: Floats) -> Floats:
    """Compute the area under the ROC curve: how likely a positive scores above a negative.

    Parameters
    ----------
    scores
        Shape (n,).
    truth
        Shape (n,).
    weights
        Shape (draws, n).

    Returns
    -------
    Floats
        Shape (draws,), in [0, 1]. Ties count half (Mann and Whitney, 1947).
    """
    positive, at = weights[:, truth], scores[truth]
    below, equal = _below(scores[~truth], weights[:, ~truth], at)
    area = (positive * (below + equal / 2)).sum(axis=1)
    return divide(area, positive.sum(axis=1) * weights[:, ~truth].sum(axis=1))


def average_precision(scores: Floats, truth: Truths, weights: Floats) -> Floats:
    """Average the precision over recall, without interpolation; ties are one step.

    Parameters and result as for `auc`. A random order gives the prevalence.
    """
    positive, at = weights[:, truth], scores[truth]
    found, false = (
        weights[:, these].sum(axis=1, keepdims=True)
        - _below(scores[these], weights[:, these], at)[0]
        for these in (truth, ~truth)
    )
    precision = divide(found, found + false)
    gained = np.where(positive > 0, positive * precision, 0.0).sum(axis=1)
    return divide(gained, positive.sum(axis=1))


def _below(scores: Floats, weights: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Return the weight of the cases that score below each of ``at``, and of those equal to it.

    Shapes (draws, len(at)).
    """
    order = np.argsort(scores, kind="stable")
    summed = np.zeros((len(weights), scores.size + 1))
    np.cumsum(weights[:, order], axis=1, out=summed[:, 1:])
    below = summed[:, np.searchsorted(scores[order], at, side="left")]
    return below, summed[:, np.searchsorted(scores[order], at, side="right")] - below


def confusion(
    truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], k: int, w: Floats
) -> Floats:
    """Count cases by true and by predicted class.

    Parameters
    ----------
    truth, predicted
        Class indices, shape (n,).
    k
        Number of classes.
    w
        Weights, shape (draws, n).

    Returns
    -------
    Floats
        Shape (draws, k, k); rows are the truth.
    """
    cells = np.zeros((truth.size, k * k))
    cells[np.arange(truth.size), truth * k + predicted] = 1.0
    return (w @ cells).reshape(-1, k, k)


def rates(table: Floats) -> dict[str, Floats]:
    """Compute the metrics of binary decisions.

    Parameters
    ----------
    table
        Shape (draws, 2, 2); rows are the truth, 0 is no.

    Returns
    -------
    dict
        ``sensitivity``, ``specificity``, ``ppv``, ``npv``, ``f1`` and ``mcc`` (Matthews, 1975),
        each of shape (draws,).
    """
    no_no, no_yes, yes_no, yes_yes = table.reshape(-1, 4).T
    product = (yes_yes + no_yes) * (yes_yes + yes_no) * (no_no + no_yes) * (no_no + yes_no)
    return {
        "sensitivity": divide(yes_yes, yes_yes + yes_no),
        "specificity": divide(no_no, no_no + no_yes),
        "ppv": divide(yes_yes, yes_yes + no_yes),
        "npv": divide(no_no, no_no + yes_no),
        "f1": divide(2 * yes_yes, 2 * yes_yes + no_yes + yes_no),
        "mcc": divide(yes_yes * no_no - no_yes * yes_no, np.sqrt(product)),
    }


def one_against_rest(table: Floats) -> Floats:
    """Turn a table of k classes into k tables of two, shape (draws, k, 2, 2)."""
    hits = np.diagonal(table, axis1=1, axis2=2)
    missed, wrong = table.sum(axis=2) - hits, table.sum(axis=1) - hits
    rest = table.sum(axis=(1, 2))[:, None] - hits - missed - wrong
    return np.stack([np.stack([rest, wrong], -1), np.stack([missed, hits], -1)], -2)


def correlation(table: Floats) -> Floats:
    """Matthews' correlation of k classes, shape (draws,), in [-1, 1] (Gorodkin, 2004)."""
    true, predicted = table.sum(axis=2), table.sum(axis=1)
    n, hits = table.sum(axis=(1, 2)), np.trace(table, axis1=1, axis2=2)
    above = hits * n - (true * predicted).sum(axis=1)
    spread = (n**2 - (predicted**2).sum(axis=1)) * (n**2 - (true**2).sum(axis=1))
    return divide(above, np.sqrt(np.maximum(spread, 0.0)))


def kappa(table: Floats) -> Floats:
    """Agreement beyond chance of two raters, shape (draws,), at most 1 (Cohen, 1960)."""
    n = table.sum(axis=(1, 2))
    agreed = divide(np.trace(table, axis1=1, axis2=2), n)
    chance = divide((table.sum(axis=2) * table.sum(axis=1)).sum(axis=1), n**2)
    return divide(agreed - chance, 1 - chance)


def fleiss_kappa(counts: Floats, weights: Floats) -> Floats:
    """Compute the agreement beyond chance of several raters.

    Parameters
    ----------
    counts
        How many raters chose each class, shape (n, k). A case has at least two raters; cases may
        have different numbers of them.
    weights
        Shape (draws, n).

    Returns
    -------
    Floats
        Shape (draws,), at most 1 (Fleiss, 1971).
    """
    raters = counts.sum(axis=1)
    pairs = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))
    shares = divide(weights @ counts, (weights @ raters)[:, None])
    chance = (shares**2).sum(axis=1)
    return divide(mean(pairs, weights) - chance, 1 - chance)


def calibration_error(chances: Floats, truth: Truths, bins: int, weights: Floats) -> Floats:
    """Compute the mean distance between the probability and the share of positives.

    Parameters
    ----------
    chances
        Shape (n,), in [0, 1].
    truth
        Shape (n,): whether the class is true.
    bins
        Number of bins of equal width.
    weights
        Shape (draws, n).

    Returns
    -------
    Floats
        Shape (draws,), in [0, 1]: the expected calibration error (Naeini et al., 2015).
    """
    inside = np.eye(bins)[bin_of(chances, bins)]
    gaps = np.abs(weights @ (inside * (chances - truth)[:, None]))
    return divide(gaps.sum(axis=1), weights.sum(axis=1))


def bin_of(chances: Floats, bins: int) -> npt.NDArray[np.int64]:
    """Return the bin of each probability, of ``bins`` bins of equal width over [0, 1]."""
    return np.minimum((chances * bins).astype(np.int64), bins - 1)
