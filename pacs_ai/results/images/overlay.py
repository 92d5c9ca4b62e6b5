"""The picture of a capture: the image, the heat map over it, and the legend.

Drawing is done with OpenCV.
"""

import math
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.grey_rows import Grey, strips
from pacs_ai.results.images.colours import heat_colours
from pacs_ai.results.images.lettering import LINE, Legend, Picture, draw_bar, write

Levels = npt.NDArray[np.uint8]
"""A grey picture in 256 levels, shape (rows, columns)."""

STRENGTH = 0.6
"""Opacity of the heat map where it is 1 and the class was found."""

FAINT = 0.3
"""Opacity for a class that was not found: visible, but not mistaken for a finding."""

_SLENDER = 4  # ratio of the sides above which the letters follow the longer side
_TEXT = 0.2  # height of the band below the image, of the same side
_MARGIN = 0.16  # least width of the margin at its right
_STRIP = 64  # rows
_GREY_AXES = 2
_WHITEST = 255.0


def draw(
    shown: Grey | Picture,
    saliency: npt.NDArray[np.float32] | None,
    legend: Legend,
    size: tuple[int, int],
    strength: float = STRENGTH,
) -> Picture:
    """Draw the picture.

    Parameters
    ----------
    shown
        The image as displayed: grey, or RGB of 8 bits.
    saliency
        The heat map, shape (h, w), in [0, 1], of the same extent as the image; None paints none.
    legend
        What is written below the image; the colour bar stands at its right.
    size
        Rows and columns of the image in the picture.
    strength
        Opacity of the heat map where it is 1, in [0, 1]. It is in proportion elsewhere, so that
        the image stays as it is where the map is 0.

    Returns
    -------
    Picture
        Shape (rows, columns, 3), RGB: that of `canvas` with the image at its upper left, or that of
        the image if nothing is written.
    """
    levels = _levels(shown, *size)
    del shown  # larger than the picture; nobody else holds it
    if not legend.lines and not legend.bar:
        return _coloured(levels) if saliency is None else _painted(levels, saliency, strength)
    rows, columns = canvas(size) if legend.lines else (size[0], canvas(size)[1])
    picture = np.zeros((rows, columns, 3), dtype=np.uint8)
    image = picture[: size[0], : size[1]]
    if saliency is None:
        image[:] = _coloured(levels)
    else:
        _painted(levels, saliency, strength, image)
    del levels
    write(picture[size[0] :], legend.lines)
    if legend.bar:
        draw_bar(picture[: size[0], size[1] :], min(size))
    return picture


def canvas(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the picture of an image with what is written beside it.

    Notes
    -----
    In the same proportion as the image: whoever compares the shapes finds the same.
    """
    rows, columns = size
    unit = legend_unit(size)
    share = max(_TEXT * unit / rows, _MARGIN * min(size) / columns)
    return rows + math.ceil(share * rows), columns + math.ceil(share * columns)


def draw_beside(
    shown: Grey | Picture,
    saliency: npt.NDArray[np.float32] | None,
    legend: Legend,
    size: tuple[int, int],
    strength: float = STRENGTH,
) -> Picture:
    """Draw the image without heat map, and the picture at its right, side by side.

    Parameters
    ----------
    shown, saliency, legend, strength
        As for `draw`.
    size
        Rows and columns of each half.

    Returns
    -------
    Picture
        Twice as high and wide as a half. Above the halves stands the colour bar, below the legend.
        Whoever compares its shape with the source's finds the same.
    """
    rows, columns = size
    levels = _levels(shown, rows, columns)
    image = _coloured(levels)
    both = np.zeros((2 * rows, 2 * columns, 3), dtype=np.uint8)
    top, bottom = rows // 2, rows // 2 + rows
    both[top:bottom, :columns] = image
    if saliency is not None:
        image = _painted(levels, saliency, strength)
    both[top:bottom, columns:] = image
    write(both[bottom:], legend.lines, LINE * 2 * legend_unit(size))
    if legend.bar:
        draw_bar(both[:top], 3 * min(size) // 2)
    return both


def legend_unit(size: tuple[int, int]) -> int:
    """Pixels that the size of a legend is in proportion to: of a strip not its shorter side."""
    return max(min(size), max(size) // _SLENDER)


def eight_bits(grey: Grey) -> Levels:
    """Round the grey values of a picture to 256 levels, of which every drawing is made."""
    levels = np.empty(grey.shape, dtype=np.uint8)
    for part in strips(grey):
        levels[part] = cv2.convertScaleAbs(grey[part], alpha=_WHITEST)
    return levels


def _levels(shown: Grey | Picture, rows: int, columns: int) -> Levels | Picture:
    if len(shown.shape) > _GREY_AXES:
        levels = np.asarray(shown, dtype=np.uint8)
    else:
        levels = eight_bits(cast("Grey", shown))
    if levels.shape[:2] == (rows, columns):
        return levels
    shrinks = rows <= levels.shape[0] and columns <= levels.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(levels, (columns, rows), interpolation=method), dtype=np.uint8)


def _coloured(levels: Levels | Picture) -> Picture:
    if levels.ndim > _GREY_AXES:
        return levels
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_GRAY2RGB), dtype=np.uint8)


def _painted(
    levels: Levels | Picture,
    saliency: npt.NDArray[np.float32],
    strength: float,
    into: Picture | None = None,
) -> Picture:
    """Make a picture with the heat map over it, in strips from the bottom to the top.

    Heat takes more memory than the picture: what is painted of it is given back.
    """
    rows, columns = levels.shape[:2]
    heat = cv2.resize(saliency, (columns, rows), interpolation=cv2.INTER_CUBIC)
    np.clip(heat, 0.0, 1.0, out=heat)
    table = heat_colours().reshape(-1, 1, 3)
    image = np.empty((rows, columns, 3), dtype=np.uint8) if into is None else into
    for start in reversed(range(0, rows, _STRIP)):
        strip, part = levels[start : start + _STRIP], heat[start:]
        colours = cv2.applyColorMap(cv2.convertScaleAbs(part, alpha=_WHITEST), table)
        opacity = part * np.float32(strength)
        image[start : start + _STRIP] = cv2.blendLinear(
            colours, _coloured(strip), opacity, 1 - opacity
        )
        heat.resize((start, columns), refcheck=False)  # nobody looks at `part` any more
    return image
