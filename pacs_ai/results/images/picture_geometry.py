"""Geometry of a capture: its size, and the orientation of its source."""

import math
from collections.abc import Sequence

from pydicom.dataset import Dataset

from pacs_ai.dicom.functional_groups import holder
from pacs_ai.dicom.reading import numbers, texts

LEGIBLE = 512
"""Pictures with a shorter side are enlarged, by an integer, so that their legend can be read."""

LARGEST = 4096
"""Longest side of a picture."""

_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
_NEGLIGIBLE = 0.1  # direction cosine below which an axis is not named
_LETTERS = frozenset("LRAPHF")


def picture_size(rows: int, columns: int, aspect: float = 1.0) -> tuple[int, int]:
    """Rows and columns of the picture of an image: the same, unless too small or too large.

    Parameters
    ----------
    rows, columns
        Of the image.
    aspect
        Height of its pixels in proportion to their width. Those of a picture are square: many
        viewers know no others, and what is written on it is not stretched.
    """
    rows, columns = undistorted(rows, columns, aspect)
    shorter, longer = min(rows, columns), max(rows, columns)
    if longer > LARGEST:
        return max(1, round(rows * LARGEST / longer)), max(1, round(columns * LARGEST / longer))
    factor = max(1, min(math.ceil(LEGIBLE / shorter), LARGEST // longer))
    return rows * factor, columns * factor


def undistorted(rows: int, columns: int, aspect: float) -> tuple[int, int]:
    """Rows and columns that an image has with square pixels, as large as its smaller side."""
    if aspect > 1:
        return round(rows * aspect), columns
    return rows, max(1, round(columns / aspect))


def size_within(rows: int, columns: int, aspect: float, longest: int) -> tuple[int, int]:
    """Return the size, in rows and columns, of an undistorted picture of an image.

    Parameters
    ----------
    aspect
        Height of a pixel by its width.
    longest
        Pixels of the longer side.
    """
    rows, columns = undistorted(rows, columns, aspect)
    scale = longest / max(rows, columns)
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def size_fitting(shape: tuple[int, int], aspect: float, room: tuple[int, int]) -> tuple[int, int]:
    """Return the size, in rows and columns, of the largest undistorted picture within a room.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    aspect
        Height of a pixel by its width.
    room
        Rows and columns.
    """
    rows, columns = undistorted(*shape, aspect)
    scale = min(room[0] / rows, room[1] / columns)
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def half_size(rows: int, columns: int, aspect: float = 1.0) -> tuple[int, int]:
    """Rows and columns of one of two pictures of an image in a frame twice their size."""
    rows, columns = picture_size(rows, columns, aspect)
    scale = min(1.0, LARGEST / (2 * max(rows, columns)))
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def patient_orientation(source: Dataset, frame: int) -> list[str] | str:
    """Direction of rows and columns: the source's, or from its plane, or empty if unknown.

    Notes
    -----
    Type 2C, PS3.3 Section C.7.6.1.1.1.
    """
    given = texts(source, "PatientOrientation")
    if len(given) == 2 and all(part and set(part) <= _LETTERS for part in given):  # noqa: PLR2004
        return list(given)
    cosines = _orientation(source, frame)
    if len(cosines) != 6 or not all(map(math.isfinite, cosines)):  # noqa: PLR2004
        return ""
    directions = [_direction(cosines[:3]), _direction(cosines[3:])]
    return directions if all(directions) else ""


def _orientation(source: Dataset, frame: int) -> tuple[float, ...]:
    keyword = "ImageOrientationPatient"
    return numbers(holder(source, frame, "PlaneOrientationSequence", [keyword]), keyword)


def _direction(cosines: Sequence[float]) -> str:
    by_size = sorted(zip(cosines, _AXES, strict=True), key=lambda part: -abs(part[0]))
    return "".join(
        positive if value > 0 else negative
        for value, (positive, negative) in by_size
        if abs(value) > _NEGLIGIBLE
    )
