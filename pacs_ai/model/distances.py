"""How far two samples lie apart, and how far they may lie apart by chance."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Values = Sequence[float] | npt.NDArray[np.float64]

_BINS = 10
_LEAST_SHARE = 0.005
_STEPS = 60


def ks_distance(first: Values, second: Values) -> float:
    """Return the distance of Kolmogorov and Smirnov: the largest between the two step functions.

    Returns
    -------
    float
        In [0, 1]; 1 where all values of one sample are below all of the other.
    """
    a, b = np.sort(np.asarray(first, float)), np.sort(np.asarray(second, float))
    places = np.concatenate([a, b])
    left = np.searchsorted(a, places, side="right") / len(a)
    right = np.searchsorted(b, places, side="right") / len(b)
    return float(np.abs(left - right).max())


def ks_chance(distance: float, first: int, second: int) -> float:
    """Return the probability that two samples of one distribution lie so far apart, or farther.

    It is exact for samples without equal values, and an upper bound otherwise.

    Parameters
    ----------
    distance
        In [0, 1].
    first, second
        Sizes of the samples.

    Notes
    -----
    All orders of the two samples are equally probable. An order is a path of steps along two axes;
    those that stay within the distance are counted from one diagonal to the next (Hodges, The
    significance probability of the Smirnov two-sample test, 1958).
    """
    inside = np.zeros(first + 1)
    inside[0] = 1.0
    steps = np.arange(first + 1)
    for total in range(1, first + second + 1):
        other = total - steps
        reached = inside * np.clip(other, 0, None) / total
        reached[1:] += inside[:-1] * steps[1:] / total
        apart = np.abs(steps / first - other / second) >= distance - 1e-9
        reached[apart | (other < 0) | (other > second)] = 0.0
        inside = reached
    return max(0.0, 1.0 - float(inside[first]))


@lru_cache(maxsize=256)
def ks_limit(chance: float, first: int, second: int) -> float:
    """Return the distance that two samples of one distribution reach with at most this probability.

    Returns
    -------
    float
        In (0, 1]; above 1 if no distance is so improbable.
    """
    low, high = 0.0, 1.0
    if ks_chance(1.0, first, second) > chance:
        return np.inf
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if ks_chance(middle, first, second) <= chance else (middle, high)
        if high - low < 1 / (4 * first * second):
            break
    return high


def psi(expected: Values, actual: Values) -> float:
    """Return the population stability index over tenths of the expected sample.

    Returns
    -------
    float
        0 for equal shares; by custom 0.1 is a small shift and 0.25 a large one.
    """
    cuts = np.unique(np.quantile(np.asarray(expected, float), np.arange(1, _BINS) / _BINS))
    shares = [
        np.bincount(np.searchsorted(cuts, np.asarray(one, float)), minlength=len(cuts) + 1)
        / len(one)
        for one in (expected, actual)
    ]
    first, second = (np.clip(one, _LEAST_SHARE, None) for one in shares)
    return float(((second - first) * np.log(second / first)).sum())
