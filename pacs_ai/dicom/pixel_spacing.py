"""How large pixels are, and how high in proportion to their width (PS3.3 10.7, C.7.6.3)."""

import math
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.functional_groups import GROUPS_KEYWORDS, holders
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import decimals, read_until_pixels

SPACING_KEYWORDS = (
    *("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio"),
    *GROUPS_KEYWORDS,
)
_PLACES = (
    ("PixelSpacing", "PixelMeasuresSequence"),
    ("ImagerPixelSpacing", "FramePixelDataPropertiesSequence"),
    ("NominalScannedPixelSpacing", "PixelMeasuresSequence"),
)
_SQUARE = 0.005
"""Part by which sides may differ: writers round."""

_MOST = 16.0
"""Largest ratio of the sides of a pixel; a larger one is an error of the header."""

Pair = tuple[float, float]


def pixel_spacing(dataset: Dataset, frame: int) -> Pair | None:
    """Distance of rows and of columns in mm, in the patient or at the detector; None if unsaid.

    Parameters
    ----------
    dataset
        With the elements of `SPACING_KEYWORDS`.
    frame
        Counts from 1.
    """
    pairs = (
        _pair(holder, keyword)
        for keyword, macro in _PLACES
        for holder in holders(dataset, frame, macro)
    )
    return next((pair for pair in pairs if pair is not None), None)


def pixel_aspect(dataset: Dataset, frame: int) -> float:
    """Height of a pixel in proportion to its width; 1.0 if it is square or nobody says.

    Parameters
    ----------
    dataset
        With the elements of `SPACING_KEYWORDS`.
    frame
        Counts from 1.

    Notes
    -----
    A spacing goes before Pixel Aspect Ratio, which is for images without one.
    """
    pair = pixel_spacing(dataset, frame) or _pair(dataset, "PixelAspectRatio") or (1.0, 1.0)
    aspect = pair[0] / pair[1]
    square = abs(aspect - 1) <= _SQUARE or not 1 / _MOST <= aspect <= _MOST
    return 1.0 if square else aspect


def read_aspect(path: Path, frame: int) -> float:
    """Read the aspect from a file, as `pixel_aspect` has it; 1.0 if it cannot be read.

    Raises
    ------
    StorageError
        If the file is missing or cannot be read.
    """
    try:
        with quiet(), open_file(path) as stream:
            return pixel_aspect(read_until_pixels(stream, SPACING_KEYWORDS).dataset, frame)
    except FOREIGN_ERRORS:
        return 1.0


def _pair(holder: Dataset, keyword: str) -> Pair | None:
    values = decimals(holder, keyword)
    usable = len(values) == 2 and all(math.isfinite(value) and value > 0 for value in values)  # noqa: PLR2004 - rows, columns
    return (values[0], values[1]) if usable else None
