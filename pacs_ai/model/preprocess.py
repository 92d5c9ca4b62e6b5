"""From display values to what the network sees, and from its grid back to the image.

The same code runs in training and in serving. Every step is named and versioned: a bundle says by
name what its network was trained on, and a name never changes its meaning.
"""

import cv2
import numpy as np
import numpy.typing as npt

from pacs_ai.errors import UnsupportedPixels
from pacs_ai.model.spec import InputSpec

Floats = npt.NDArray[np.float32]


def preprocess(pixels: Floats, spec: InputSpec) -> Floats:
    """Make the network's input of one image.

    Parameters
    ----------
    pixels
        Display values, shape (rows, columns), in [0, 1]; 0 is black.
    spec
        What the network takes.

    Returns
    -------
    Floats
        Shape (1, height, width, 1), in [-1, 1].

    Raises
    ------
    UnsupportedPixels
        If ``pixels`` is not one grey image of finite values.
    """
    if pixels.ndim != 2 or 0 in pixels.shape:  # noqa: PLR2004 - rows and columns
        raise UnsupportedPixels(f"the model takes one grey image, got shape {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise UnsupportedPixels("display values are not all finite")
    rows, columns = pixels.shape
    top, left, height, width = content_box(rows, columns, spec)
    shrinks = height <= rows and width <= columns
    content = cv2.resize(
        np.ascontiguousarray(pixels, dtype=np.float32),
        (width, height),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    x = np.full((1, spec.height, spec.width, 1), -1.0, dtype=np.float32)
    x[0, top : top + height, left : left + width, 0] = 2.0 * np.clip(content, 0.0, 1.0) - 1.0
    return x


def content_box(rows: int, columns: int, spec: InputSpec) -> tuple[int, int, int, int]:
    """Where an image lies in the network's input.

    Parameters
    ----------
    rows, columns
        Size of the image.
    spec
        What the network takes.

    Returns
    -------
    tuple
        (top, left, height, width) in pixels of the input; the rest is padding.
    """
    scale = min(spec.height / rows, spec.width / columns)
    height = min(spec.height, max(1, round(rows * scale)))
    width = min(spec.width, max(1, round(columns * scale)))
    return (spec.height - height) // 2, (spec.width - width) // 2, height, width


def saliency_to_image(saliency: Floats, rows: int, columns: int, spec: InputSpec) -> Floats:
    """Undo the letterbox: turn maps of the network's grid into maps of the image's rectangle.

    Parameters
    ----------
    saliency
        Maps on the grid of the last features, shape (classes, h, w), in [0, 1].
    rows, columns
        Size of the image that was preprocessed.
    spec
        What the network takes.

    Returns
    -------
    Floats
        Shape (classes, height, width) of `content_box`: each map covers the whole image and
        nothing but it, so stretching it over the image puts every value where it belongs. In
        [0, 1] with peak 1, or all zero.
    """
    top, left, height, width = content_box(rows, columns, spec)
    maps = np.empty((saliency.shape[0], height, width), dtype=np.float32)
    for index, grid in enumerate(saliency):
        full = cv2.resize(grid, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
        part = full[top : top + height, left : left + width]
        peak = float(part.max())
        maps[index] = part / peak if peak > 0 else 0.0
    return maps
