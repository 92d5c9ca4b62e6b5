"""A few numbers that say how an image looks to a network, and how its stored values are spread.

A gain, an inversion, another scanner or another processing moves some of them. They are compared
with those of the validation images (`pacs_ai.model.reference`), never shown to anybody as findings.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from pacs_ai.domain import ClassSpec
from pacs_ai.model.network import Floats
from pacs_ai.model.reference import SCORE

_SIDE = 128
"""Values along each side that are looked at."""

_BORDER = 8
"""The border is this part of a side."""

_DIGITS = 6


def input_statistics(x: Floats, stored: npt.NDArray[np.generic] | None = None) -> dict[str, float]:
    """Measure one image.

    Parameters
    ----------
    x
        What `pacs_ai.model.preprocess.preprocess` made of it, shape (1, height, width, channels).
    stored
        Its stored values, shape (rows, columns) or (rows, columns, 3); None for a picture, whose
        values are no stored values of DICOM.

    Returns
    -------
    dict
        Mean, standard deviation, three percentiles, the difference of border and centre, and
        sharpness (mean difference of neighbours), in the unit of ``x``; percentiles and standard
        deviation of the stored values.
    """
    grey = x[0, :, :, 0].astype(np.float64)
    few = grey[:: max(1, grey.shape[0] // _SIDE), :: max(1, grey.shape[1] // _SIDE)]
    rows, columns = (max(1, side // _BORDER) for side in few.shape)
    centre = few[rows:-rows, columns:-columns]
    border = (few.sum() - centre.sum()) / (few.size - centre.size)
    values = {
        "input.mean": few.mean(),
        "input.spread": few.std(),
        **_percentiles("input", few, (5, 50, 95)),
        "input.border": border - centre.mean(),
        "input.sharpness": np.abs(np.diff(grey, axis=1)).mean()
        + np.abs(np.diff(grey, axis=0)).mean(),
    }
    if stored is not None:
        step = (max(1, stored.shape[0] // _SIDE), max(1, stored.shape[1] // _SIDE))
        some = stored[:: step[0], :: step[1]].astype(np.float64)
        values |= {"stored.spread": some.std(), **_percentiles("stored", some, (5, 50, 95))}
    return {name: rounded(value) for name, value in values.items()}


def score_statistics(
    classes: tuple[ClassSpec, ...], probabilities: tuple[float, ...]
) -> dict[str, float]:
    """Return the probabilities of one image by the names of the classes."""
    pairs = zip(classes, probabilities, strict=True)
    return {f"{SCORE}{one.name}": rounded(probability) for one, probability in pairs}


def rank(name: str) -> bytes:
    """Return what images are drawn by: of several the one with the lowest rank.

    Parameters
    ----------
    name
        SOP Instance UID and number of the frame.
    """
    return hashlib.sha256(name.encode()).digest()[:8]


def rounded(value: float | np.floating) -> float:
    """Round to six digits, which is more than any comparison needs."""
    return float(f"{float(value):.{_DIGITS}g}")


def _percentiles(
    what: str, values: npt.NDArray[np.float64], which: tuple[int, ...]
) -> dict[str, np.floating]:
    found = np.percentile(values, which)
    return {f"{what}.percentile-{one}": value for one, value in zip(which, found, strict=True)}
