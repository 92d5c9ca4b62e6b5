"""The difference of two AUCs on the same cases, with the variance of DeLong.

DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988, 837-845) take cases to be independent.
Obuchowski (Biometrics 53, 1997, 567-578) sums their components over clusters, here the cases of
one patient; where each patient has one case, both are the same. The variance of a difference is
that of the differences of the components, so the covariance of the two AUCs is counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pacs_ai.statistics.metrics import Floats, Truths

_NORMAL_95 = 1.959963984540054
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class AucDifference:
    """Two AUCs on the same cases, and their difference: ``other`` minus ``reference``.

    ``low`` and ``high`` are the 95 % interval of the difference, ``p`` is the two-sided probability
    of such a difference between equal AUCs. What is not defined is not a number: the AUCs if all
    cases are positive, or all negative; the interval if fewer than two patients have positive or
    negative cases, or if the variance is 0 though the AUCs differ.
    """

    reference: float
    other: float
    difference: float
    error: float
    low: float
    high: float
    p: float


def delong(
    reference: Floats, other: Floats, truth: Truths, patients: Sequence[str]
) -> AucDifference:
    """Compare the AUCs of two scores of the same cases.

    Parameters
    ----------
    reference, other
        The scores, shape (n,).
    truth
        Whether each case is positive, shape (n,).
    patients
        The patient of each case, length n.
    """
    found = [components(scores, truth) for scores in (reference, other)]
    areas = [float(positive.mean()) if positive.size else math.nan for positive, _ in found]
    positive, negative = (found[1][i] - found[0][i] for i in (0, 1))
    error = math.sqrt(_variance(positive, negative, truth, patients))
    difference = areas[1] - areas[0]
    low, high, p = _inference(difference, error)
    return AucDifference(areas[0], areas[1], difference, error, low, high, p)


def components(scores: Floats, truth: Truths) -> tuple[Floats, Floats]:
    """Compute the structural components of an AUC.

    Returns
    -------
    tuple
        For each positive case the share of the negative cases that score below it; for each
        negative case the share of the positive cases that score above it. Ties count half. The
        mean of either is the AUC. Both are empty if there is no positive or no negative case.
    """
    positive, negative = scores[truth], scores[~truth]
    if not (positive.size and negative.size):
        return np.empty(0), np.empty(0)
    return _share_below(positive, negative), 1 - _share_below(negative, positive)


def _share_below(at: Floats, others: Floats) -> Floats:
    """Return the share of ``others`` below each value; those that are equal count half."""
    ordered = np.sort(others)
    below, to = (np.searchsorted(ordered, at, side=side) for side in ("left", "right"))
    return np.asarray((below + to) / (2 * ordered.size))


def _variance(positive: Floats, negative: Floats, truth: Truths, patients: Sequence[str]) -> float:
    """Return the variance of the mean of components that are summed by patient."""
    if not positive.size:
        return math.nan
    owners, owner = np.unique(np.array(patients), return_inverse=True)
    sums = [
        np.bincount(owner[of], values - values.mean(), minlength=owners.size) / values.size
        for of, values in ((truth, positive), (~truth, negative))
    ]
    counts = [np.unique(owner[of]).size for of in (truth, ~truth)]
    if min(counts) < _FEWEST:
        return math.nan
    own = sum(n / (n - 1) * float(each @ each) for n, each in zip(counts, sums, strict=True))
    # 0 if no patient has both positive and negative cases
    both = owners.size / (owners.size - 1) * float(sums[0] @ sums[1])
    return max(own + 2 * both, 0.0)


def _inference(difference: float, error: float) -> tuple[float, float, float]:
    """Return the interval and the probability of a difference with a standard error."""
    if error == 0:
        return (0.0, 0.0, 1.0) if difference == 0 else (math.nan, math.nan, math.nan)
    if math.isnan(error) or math.isnan(difference):
        return math.nan, math.nan, math.nan
    reach = _NORMAL_95 * error
    p = math.erfc(abs(difference) / error / math.sqrt(2))
    return difference - reach, difference + reach, p
