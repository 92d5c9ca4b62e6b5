"""Percentiles of stored values: what an image without a window is stretched between."""

import math

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.canonical import Stored

LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0
_BLOCK = 1 << 18
_SAMPLE = 1 << 20


def in_range(values: Stored, ends: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """Tell which values lie in a range, both ends included."""
    low, high = ends
    if np.issubdtype(values.dtype, np.integer):
        # Python integers outside of the type are compared as they are; floats would widen it all.
        low, high = math.ceil(low), math.floor(high)
    found = np.asarray(values >= low)
    found &= values <= high
    return found


def extremes(values: Stored) -> tuple[float, float]:
    """Smallest and largest finite value; 0 and 0 if no value is finite."""
    low, high = float(values.min()), float(values.max())
    if math.isfinite(low) and math.isfinite(high):
        return low, high
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def counted_range(
    values: Stored, padding: npt.NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Percentiles by counting every value, block by block: exact, and free of large copies.

    Parameters
    ----------
    values
        Integers of 8 or 16 bits.
    padding
        Which of them do not count; not all.
    """
    info = np.iinfo(values.dtype)
    counts = np.zeros(info.max - info.min + 1, dtype=np.int64)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK].astype(np.int64)
        if padding is not None:
            block = block[~padding.reshape(-1)[start : start + _BLOCK]]
        block -= info.min
        counts += np.bincount(block, minlength=len(counts))
    cumulated = np.cumsum(counts)
    low, high = (
        int(np.searchsorted(cumulated, math.ceil(cumulated[-1] * part / 100)))
        for part in (LOW_PERCENTILE, HIGH_PERCENTILE)
    )
    if low == high:
        used = np.flatnonzero(counts)
        low, high = int(used[0]), int(used[-1])
    return float(low + info.min), float(high + info.min)


def sampled_range(
    values: Stored, padding: npt.NDArray[np.bool_] | None = None
) -> tuple[float, float]:
    """Percentiles of at most a million finite values, evenly spread; all values where they fail."""
    flat = values[~padding] if padding is not None else values.reshape(-1)
    for part in (flat[:: max(1, flat.size // _SAMPLE)], flat):
        known = part[np.isfinite(part)].astype(np.float64)
        if not known.size:
            continue
        low, high = np.percentile(known, (LOW_PERCENTILE, HIGH_PERCENTILE))
        if low < high:
            return float(low), float(high)
        if known.min() < known.max():
            return float(known.min()), float(known.max())
    return 0.0, 0.0
