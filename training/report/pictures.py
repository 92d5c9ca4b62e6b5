"""Small pictures: grey images, heat map overlays, and PNG encoding."""

import io

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image

from pacs_ai.model.preprocess import affine
from pacs_ai.model.spec import InputSpec

Floats = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]

COLOURS = "inferno"
"""Perceptually uniform, also for the colour-blind, and brighter where there is more."""

_STRONGEST = 0.6


def grey_of(x: Floats, spec: InputSpec) -> Floats:
    """Convert an input of the network, (height, width, channels), back to grey in [0, 1]."""
    factor, offset = affine(spec)
    grey = (x[..., 0] + offset[0]) / factor[0]
    return np.asarray(np.clip(grey, 0.0, 1.0), dtype=np.float32)


def stretch(grid: Floats, height: int, width: int) -> Floats:
    """Resize a map to the size of an image, bilinear."""
    picture = Image.fromarray(np.ascontiguousarray(grid, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def colour(values: Floats, name: str = COLOURS) -> Picture:
    """Apply a colour map to values in [0, 1], shape (...) to (..., 3)."""
    return np.asarray(mpl.colormaps[name](values, bytes=True)[..., :3])


def as_rgb(grey: Floats) -> Picture:
    """Convert grey values in [0, 1] to a picture, shape (h, w) to (h, w, 3)."""
    levels = np.round(np.clip(grey, 0.0, 1.0) * 255).astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=-1)


def overlay(grey: Floats, saliency: Floats) -> Picture:
    """Blend a heat map over an image; where the map is 0, the image is unchanged.

    Parameters
    ----------
    grey
        Shape (h, w), in [0, 1].
    saliency
        Any size, in [0, 1]; it is stretched over the image.
    """
    heat = np.clip(stretch(saliency, *grey.shape), 0.0, 1.0)
    share = (_STRONGEST * heat)[..., None]
    mixed = as_rgb(grey) * (1 - share) + colour(heat) * share
    return np.round(mixed).astype(np.uint8)


def frame(picture: Picture, box: tuple[int, int, int, int], rgb: tuple[int, int, int]) -> Picture:
    """Draw a rectangle (x0, y0, x1, y1), half open, on a copy of a picture."""
    x0, y0, x1, y1 = box
    drawn = picture.copy()
    drawn[y0:y1, [x0, x1 - 1]] = rgb
    drawn[[y0, y1 - 1], x0:x1] = rgb
    return drawn


def mosaic(pictures: list[Picture], columns: int, gap: int = 2) -> Picture:
    """Arrange pictures of one size in rows, on white."""
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    sheet = np.full(size, 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def enlarge(picture: Picture, least: int) -> Picture:
    """Repeat pixels until both sides have at least ``least`` pixels."""
    times = -(-least // min(picture.shape[:2]))
    return np.repeat(np.repeat(picture, max(1, times), axis=0), max(1, times), axis=1)


def png(picture: Picture) -> bytes:
    """Encode a picture; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
