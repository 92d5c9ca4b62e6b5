"""What a round tells, and what several do."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """Instances a second, milliseconds of CPU an instance, and peak memory in MB."""

    rate: float
    cpu_ms: float
    peak_mb: float


@dataclass(frozen=True)
class Figures:
    """Medians of one receiver's rounds, with the slowest and the fastest, and the largest peak."""

    rate: float
    slowest: float
    fastest: float
    cpu_ms: float
    peak_mb: float


def summary(measured: list[Round]) -> Figures:
    rates = [one.rate for one in measured]
    return Figures(
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(one.cpu_ms for one in measured),
        max(one.peak_mb for one in measured),
    )
