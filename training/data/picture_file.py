"""Read picture files: PNG, JPEG, TIFF, WebP and BMP."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pacs_ai.errors import DataError

R = TypeVar("R")
Floats = npt.NDArray[np.float32]

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
FORMATS = "PNG, JPEG, TIFF, WebP or BMP"
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as for colour in DICOM
_BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)


def read_picture(path: Path) -> Floats:
    """Read a picture as display values; colour is converted to luma.

    Pictures of 8 bits are shown as they are. Those of more bits, or of floating point numbers, are
    shown from their lowest value (black) to their highest (white), because files of 16 bits often
    hold values of 10 or 12.

    Returns
    -------
    Floats
        Shape (rows, columns), in [0, 1].

    Raises
    ------
    DataError
        If it is damaged, truncated, too large, not a picture, or has several pages.
    """
    return _read(path, lambda opened: _grey(ImageOps.exif_transpose(opened)))


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


def _grey(picture: Image.Image) -> Floats:
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), dtype=np.float32) * np.float32(1 / 255)
    if picture.mode.startswith(("I", "F")):
        return _whole_range(np.asarray(picture, dtype=np.float32))
    colours = np.asarray(picture.convert("RGB"), dtype=np.float32)
    grey = (colours @ _LUMA) * np.float32(1 / 255)
    return np.clip(grey, 0, 1, out=grey)


def _whole_range(values: Floats) -> Floats:
    low, high = values.min(), values.max()
    if not high > low:  # also for values that are not finite, which are refused later
        return values if not np.isfinite(low) else np.zeros_like(values)
    grey: Floats = (values - low) / (high - low)
    return np.clip(grey, 0, 1, out=grey)
