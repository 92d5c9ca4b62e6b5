"""The interval of a share (Wilson, 1927): it holds for few cases too, and stays in [0, 1]."""

import math
from statistics import NormalDist


def wilson(successes: int, cases: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a share of cases.

    Parameters
    ----------
    successes, cases
        Numbers; ``0 <= successes <= cases``.
    confidence
        How often such an interval has the true share in it, in (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound, in [0, 1]; (0, 1) where there is no case.
    """
    if cases == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / cases, z * z / cases
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / cases + weight / (4 * cases))
    low = 0.0 if successes == 0 else max(middle - half, 0.0)
    high = 1.0 if successes == cases else min(middle + half, 1.0)
    return low, high
