"""Operating points: thresholds that turn probabilities into decisions."""

from typing import Protocol

import numpy as np

from pacs_ai.statistics.metrics import Floats, Truths

_TINY = 1e-12


class Rule(Protocol):
    """How to choose an operating point.

    ``operating_point`` is ``youden``, which maximises sensitivity + specificity; ``sensitivity``
    requires a sensitivity of at least ``target`` and maximises specificity, and ``specificity`` the
    other way round.
    """

    @property
    def operating_point(self) -> str:
        """The rule."""

    @property
    def target(self) -> float | None:
        """What is required, in (0, 1); None for ``youden``."""


def choose_threshold(scores: Floats, truth: Truths, rule: Rule) -> float:
    """Choose an operating point.

    Parameters
    ----------
    scores
        Probabilities, shape (n,).
    truth
        Shape (n,).
    rule
        How to choose.

    Returns
    -------
    float
        In [0, 1], half way between two neighbouring scores; of equally good thresholds the middle
        one. 0.5 if there is only one class or only one score.
    """
    values = np.unique(scores)
    if values.size < 2 or truth.all() or not truth.any():  # noqa: PLR2004 - two scores, one cut
        return 0.5
    cuts = (values[1:] + values[:-1]) / 2
    sensitivity = 1 - np.searchsorted(np.sort(scores[truth]), cuts) / truth.sum()
    specificity = np.searchsorted(np.sort(scores[~truth]), cuts) / (~truth).sum()
    criterion = sensitivity + specificity
    if rule.target is not None:
        kept = sensitivity if rule.operating_point == "sensitivity" else specificity
        other = specificity if rule.operating_point == "sensitivity" else sensitivity
        # A threshold that misses the target ranks below every one that reaches it.
        criterion = np.where(kept >= rule.target - _TINY, 1 + other, kept)
    best = np.flatnonzero(criterion >= criterion.max() - _TINY)
    return _between(values, int(best[best.size // 2]))


def _between(values: Floats, at: int) -> float:
    """Return the shortest decimal number that separates two neighbouring scores."""
    low, high = float(values[at]), float(values[at + 1])
    for digits in range(6, 17):
        cut = float(f"{(low + high) / 2:.{digits}g}")
        if low < cut <= high:
            return cut
    return high
