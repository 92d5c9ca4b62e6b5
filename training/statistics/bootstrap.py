"""How sure one may be of a figure: 95 % intervals by drawing patients with replacement.

Images of one patient resemble each other, so that drawing images would promise too much.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.statistics.metrics import Floats

Measure = Callable[[Floats], Mapping[str, Floats]]
"""From weights (draws, n) to figures by name, each of shape (draws,)."""

SEED = 95
_CELLS = 4_000_000
_TAILS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval; not a number where it is not defined."""

    value: float
    low: float
    high: float


def draws(patients: Sequence[str], resamples: int, seed: int = SEED) -> Iterator[Floats]:
    """Draw patients again and again.

    Parameters
    ----------
    patients
        Whose each case is, length n.
    resamples
        How often.
    seed
        Source of chance; the same for all figures, so that they can be compared draw by draw.

    Yields
    ------
    Floats
        How often each case was drawn, shape (some, n), some rows at a time to save memory.
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
    """Compute figures for the cases as they are and for many draws of patients.

    Parameters
    ----------
    measure
        What to compute.
    patients
        Whose each case is, length n > 0.
    resamples
        Number of draws.
    seed
        Source of chance; see `draws`.

    Returns
    -------
    dict
        For each figure an array of shape (1 + resamples,): the figure itself, then its draws.
    """
    parts = [measure(np.ones((1, len(patients))))]
    parts += [measure(weights) for weights in draws(patients, resamples, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: Floats) -> Interval:
    """Summarise what `bootstrap` gives for a figure: percentile interval.

    Draws in which the figure is not defined are left out; where it is defined in none, or not for
    the cases themselves, all is not a number.
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
