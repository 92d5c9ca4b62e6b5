"""95 % confidence intervals of figures by the bootstrap: patients are drawn with replacement.

Images of one patient resemble each other; drawing images would give intervals that are too narrow.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pacs_ai.statistics.metrics import Floats

Measure = Callable[[Floats], Mapping[str, Floats]]
"""A function from weights (draws, n) to figures by name, each of shape (draws,)."""

SEED = 95
_CELLS = 4_000_000
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; all are not a number if the figure is not defined."""

    value: float
    low: float
    high: float


def draws(patients: Sequence[str], resamples: int, seed: int = SEED) -> Iterator[Floats]:
    """Draw patients with replacement.

    Parameters
    ----------
    patients
        The patient of each case, length n.
    resamples
        Number of draws.
    seed
        Random seed; the same for all figures, so that they can be compared draw by draw.

    Yields
    ------
    Floats
        How often each case was drawn, shape (rows, n); a few rows at a time, to save memory.
    """
    names, owner = np.unique(np.array(patients), return_inverse=True)
    rng, size = np.random.default_rng(seed), names.size
    share = np.full(size, 1 / size)
    some = max(1, min(resamples, _CELLS // len(patients)))
    for start in range(0, resamples, some):
        counts = rng.multinomial(size, share, size=min(some, resamples - start))
        yield counts[:, owner].astype(np.float64)


def bootstrap(
    measure: Measure, patients: Sequence[str], resamples: int, seed: int = SEED
) -> dict[str, Floats]:
    """Compute figures for all cases, and for many draws of patients.

    Parameters
    ----------
    measure
        Computes the figures.
    patients
        The patient of each case, length n > 0.
    resamples
        Number of draws.
    seed
        Random seed; see `draws`.

    Returns
    -------
    dict
        For each figure an array of shape (1 + resamples,): the figure itself, then its draws.
    """
    parts = [measure(np.ones((1, len(patients))))]
    parts += [measure(weights) for weights in draws(patients, resamples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: Floats) -> Interval:
    """Compute the percentile interval of a figure from the result of `bootstrap`.

    Draws in which the figure is not defined are left out. If it is defined in no draw, or not for
    the cases themselves, all three values are not a number.
    """
    defined = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not defined.size:
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(defined, _TAILS)
    return Interval(float(values[0]), float(low), float(high))


def intervals(measure: Measure, patients: Sequence[str], resamples: int) -> dict[str, Interval]:
    """Compute figures with their intervals; see `bootstrap`."""
    found = bootstrap(measure, patients, resamples)
    return {name: interval(values) for name, values in found.items()}
