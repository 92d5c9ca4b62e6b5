"""Limits of prediction sets from the validation split (split conformal prediction).

The *conformity* of an answer is its calibrated probability. Among n + 1 exchangeable studies each
rank of the last one's conformity is equally likely. So the k-th highest of n conformities is a
limit that the true answer of a new study reaches with probability k / (n + 1) or more. The limit of
an answer comes from the studies with this answer alone (Mondrian), where there are enough of them.

Papadopoulos et al., Inductive confidence machines for regression, 2002; Vovk, 2012.
"""

import math

import numpy as np
import numpy.typing as npt

from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.statistics.metrics import Floats, Truths

_BEYOND = 5
"""Cases beyond the limit that an answer of its own needs: 50 cases at a confidence of 90 %."""

_TINY = 1e-9  # 0.9 x 10 is a little more than 9


def fit_sets(
    probabilities: Floats, truth: Truths, confidence: float, *, exclusive: bool
) -> PredictionSets | None:
    """Choose the limits of prediction sets.

    Parameters
    ----------
    probabilities
        Calibrated probabilities of the validation studies, shape (n, classes).
    truth
        Shape (n, classes); for ``exclusive`` one class of each study is true.
    confidence
        Share of studies whose set holds the true answer, in [0.5, 1).
    exclusive
        Whether the probabilities of a study sum to 1, and one class of it is true. The sets then
        hold classes. Otherwise, and for two classes, each class has its own answer.

    Returns
    -------
    PredictionSets or None
        None if there are too few studies for any limit at this confidence.
    """
    if rank(len(truth), confidence) > len(truth):
        return None
    if not exclusive:
        pairs = [
            _of_finding(p, t, confidence) for p, t in zip(probabilities.T, truth.T, strict=True)
        ]
        lowest, highest = zip(*pairs, strict=True)
        return PredictionSets(confidence, "findings", lowest, highest)
    true = truth.argmax(axis=1)
    limits = _limits(probabilities[truth], true, truth.shape[1], confidence)
    if len(limits) == 2:  # noqa: PLR2004 - one class can be absent if the other one can be present
        return PredictionSets(confidence, "findings", limits, (1 - limits[1], 1 - limits[0]))
    return PredictionSets(confidence, "classes", limits)


def rank(cases: int, confidence: float) -> int:
    """Return which of the highest conformities is the limit, counted from 1."""
    return math.ceil((cases + 1) * confidence - _TINY)


def _of_finding(probabilities: Floats, true: Truths, confidence: float) -> tuple[float, float]:
    """Return the lowest probability of "present", and the highest of "absent"."""
    conformity = np.where(true, probabilities, 1 - probabilities)
    absent, present = _limits(conformity, true.astype(np.int64), 2, confidence)
    return present, 1 - absent


def _limits(
    conformity: Floats, answers: npt.NDArray[np.int64], count: int, confidence: float
) -> tuple[float, ...]:
    """Return the limit of each answer; those with few cases share theirs.

    They share it with the next rarer ones if they are too few together.
    """
    fewest = math.ceil(_BEYOND / (1 - confidence) - _TINY)
    sizes = np.bincount(answers, minlength=count)
    rarest_first = np.argsort(sizes, kind="stable")
    few = int((sizes < fewest).sum())
    enough = int(np.searchsorted(np.cumsum(sizes[rarest_first]), fewest)) + 1
    shared = max(few, min(enough, count)) if few else 0
    groups = [rarest_first[:shared], *rarest_first[shared:, None]]
    found = np.zeros(count)
    for group in groups:
        found[group] = _limit(conformity[np.isin(answers, group)], confidence)
    return tuple(float(limit) for limit in found)


def _limit(conformity: Floats, confidence: float) -> float:
    place = rank(conformity.size, confidence)
    return 0.0 if place > conformity.size else float(np.sort(conformity)[-place])
