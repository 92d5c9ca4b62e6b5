"""Read picture files: PNG, JPEG, TIFF, WebP and BMP."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pacs_ai.dicom.grey import stretched
from pacs_ai.errors import DataError

R = TypeVar("R")
Floats = npt.NDArray[np.float32]

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
FORMATS = "PNG, JPEG, TIFF, WebP or BMP"
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as for colour in DICOM
_BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)


def read_picture(path: Path, *, full_range: bool = True) -> Floats:
    """Read a picture as display values; colour is converted to luma.

    Pictures of more than 8 bits, or of floating point numbers, are stretched between two
    percentiles, by the code that the node has for such images of DICOM without a window.

    Parameters
    ----------
    path
        The file.
    full_range
        Whether pictures of 8 bits are shown as they are; else they are stretched, too.

    Returns
    -------
    Floats
        Shape (rows, columns), in [0, 1].

    Raises
    ------
    DataError
        If it is damaged, truncated, too large, not a picture, or has several pages.
    """
    return _read(path, lambda opened: _grey(ImageOps.exif_transpose(opened), full_range=full_range))


def picture_size(path: Path) -> tuple[int, int]:
    """Return columns and rows of a picture, from its header.

    Raises
    ------
    DataError
        As `read_picture` does; names the file.
    """
    try:
        return _read(path, lambda opened: opened.size)
    except DataError as error:
        raise DataError(f"{path}: {error.message}") from error


def _read(path: Path, do: Callable[[Image.Image], R]) -> R:
    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            pages = getattr(opened, "n_frames", 1)
            if pages > 1 and opened.format != "MPO":  # a photograph with a preview
                raise DataError(f"has {pages} pages: save each as a file of its own")
            return do(opened)
    except _BOMBS as error:
        raise DataError(
            f"has too many pixels to be decompressed safely (at most {Image.MAX_IMAGE_PIXELS}): "
            "make it smaller"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"not a whole {FORMATS} picture ({type(error).__name__})") from error


def _grey(picture: Image.Image, *, full_range: bool) -> Floats:
    if picture.mode in ("1", "L"):
        levels = np.asarray(picture.convert("L"))
        return levels * np.float32(1 / 255) if full_range else stretched(levels).whole()
    if picture.mode.startswith(("I", "F")):
        values = _stored(np.asarray(picture))
        finite = np.isfinite(values).all()
        # values that are not finite are refused later, with the name of the file
        return stretched(values).whole() if finite else values.astype(np.float32)
    colours = np.asarray(picture.convert("RGB"), dtype=np.float32)
    grey = np.clip((colours @ _LUMA) * np.float32(1 / 255), 0, 1)
    return grey if full_range else stretched(grey).whole()


def _stored(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return integers as 16 bits where they fit: the node counts those, and samples wider ones."""
    if np.issubdtype(values.dtype, np.integer):
        for kind in (np.uint16, np.int16):
            if np.iinfo(kind).min <= values.min() and values.max() <= np.iinfo(kind).max:
                return values.astype(kind)
    return values
