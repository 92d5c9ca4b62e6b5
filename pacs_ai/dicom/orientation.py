"""Which images of a series lie in another direction than nearly all others: localizers, mostly."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_NEARLY_ALL = 0.75
_LEAST = 3
_ALIKE = 0.9  # cosine of 26 degrees: tilted slices of one stack are alike, other planes are not


def plane_of(orientation: Sequence[float] | None) -> str:
    """Return the plane of an image: axial, coronal, sagittal or oblique; "" if it is not known.

    Parameters
    ----------
    orientation
        Image Orientation (Patient), as for `odd_ones`. A plane within 26 degrees of an anatomical
        one has its name: gantries are tilted.
    """
    if orientation is None or not _valid(orientation):
        return ""
    row, column = np.array(orientation, dtype=np.float64).reshape(2, 3)
    normal = np.abs(np.cross(row, column))
    normal /= np.linalg.norm(normal)
    axis = int(normal.argmax())
    return ("sagittal", "coronal", "axial")[axis] if normal[axis] >= _ALIKE else "oblique"


def odd_ones(orientations: Sequence[Sequence[float] | None]) -> list[bool]:
    """Tell which orientations differ from nearly all others.

    Parameters
    ----------
    orientations
        Image Orientation (Patient) of each image: direction cosines of row and column (PS3.3
        Section C.7.6.2.1.1); None where an image does not say.

    Returns
    -------
    list of bool
        True for an image that lies in another direction than three quarters or more of those that
        say. False for all where there is no such majority: a rotating acquisition, or a series of
        three planes, has none. One that does not say is never odd.
    """
    known = [index for index, one in enumerate(orientations) if one is not None and _valid(one)]
    odd = [False] * len(orientations)
    if len(known) < _LEAST:
        return odd
    pairs = np.array([orientations[index] for index in known], dtype=np.float64).reshape(-1, 2, 3)
    alike = _alike(pairs)
    if alike.sum() < max(_LEAST - 1, _NEARLY_ALL * len(known)):
        return odd
    for index, same in zip(known, alike, strict=True):
        odd[index] = not same
    return odd


def _alike(pairs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Compare row and column with the median, which lies among the majority if there is one."""
    pairs = pairs / np.linalg.norm(pairs, axis=2, keepdims=True)
    middle = np.median(pairs, axis=0)
    length = np.linalg.norm(middle, axis=1, keepdims=True)
    if not (length > 0).all():
        return np.zeros(len(pairs), dtype=np.bool_)
    cosines = (pairs * (middle / length)).sum(axis=2)
    return np.asarray((cosines >= _ALIKE).all(axis=1))


def _valid(orientation: Sequence[float]) -> bool:
    row, column = orientation[:3], orientation[3:]
    return any(row) and any(column)
