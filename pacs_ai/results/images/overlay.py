"""The picture of a capture: the image, the heat map over it, and the legend.

Drawing is done with OpenCV.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.grey_rows import Grey, strips
from pacs_ai.results.images.colours import heat_colours

Picture = npt.NDArray[np.uint8]
Levels = npt.NDArray[np.uint8]
"""A grey picture in 256 levels, shape (rows, columns)."""

STRENGTH = 0.6
"""Opacity of the heat map where it is 1 and the class was found."""

FAINT = 0.3
"""Opacity for a class that was not found: visible, but not mistaken for a finding."""

BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
AMBER = (255, 191, 0)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE = 0.042  # height of a line, of the image's shorter side
_SLENDER = 4  # ratio of the sides above which the letters follow the longer side
_TEXT = 0.2  # height of the band below the image, of the same side
_MARGIN = 0.16  # least width of the margin at its right
_LARGEST_LINE = 0.2  # height of a line, of the band
_LETTER = 0.6  # height of a capital, of the line
_HEADLINE = 1.4
_NARROWER, _SMALLEST = 0.95, 0.06  # steps by which letters are made to fit, and their end
_STRIP = 64  # rows
_GREY_AXES = 2
_WHITEST = 255.0
_BAR = (0.025, 0.3)  # width and height of the colour bar, of the shorter side


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the legend; ``size`` is relative to the others."""

    text: str
    colour: tuple[int, int, int] = WHITE
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class Legend:
    """What is written on the picture, from top to bottom, and whether a colour bar is drawn."""

    lines: tuple[Line, ...]
    bar: bool


def headline(text: str, colour: tuple[int, int, int] = WHITE) -> Line:
    """Make the line that is read first."""
    return Line(text, colour, _HEADLINE)


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
    _write(picture[size[0] :], legend.lines)
    if legend.bar:
        _bar(picture[: size[0], size[1] :], min(size))
    return picture


def canvas(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the picture of an image with what is written beside it.

    Notes
    -----
    In the same proportion as the image: whoever compares the shapes finds the same.
    """
    rows, columns = size
    unit = _unit(size)
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
    _write(both[bottom:], legend.lines, _LINE * 2 * _unit(size))
    if legend.bar:
        _bar(both[:top], 3 * min(size) // 2)
    return both


def _unit(size: tuple[int, int]) -> int:
    """Pixels that the legend's size is in proportion to: of a strip not its shorter side."""
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


def _write(band: Picture, lines: Sequence[Line], line: float = math.inf) -> None:
    """Write the lines into a band, from its top, as large as they fit and ``line`` allows."""
    rows, columns = band.shape[:2]
    if not lines:
        return
    height = min(line, _LARGEST_LINE * rows, rows / (sum(one.size for one in lines) + 1))
    margin = min(round(height / 2), columns // 30)
    baseline = 0.0
    for one in lines:
        baseline += height * one.size
        _put(band, one, (margin, round(baseline)), height * one.size, columns - 2 * margin)


def _put(image: Picture, line: Line, origin: tuple[int, int], height: float, room: int) -> None:
    text = _plain(line.text)
    letter = max(1, round(_LETTER * height))
    thickness = max(1, round(letter / 10))
    scale = cv2.getFontScaleFromHeight(_FONT, letter, thickness)
    # letters move by whole pixels, so that a smaller scale is not always narrower in proportion
    while _width(text, scale, thickness) > room and scale > _SMALLEST:
        scale *= min(_NARROWER, room / _width(text, scale, thickness))
    # the rim is the same text moved about: drawn with a broader stroke, letters would run wider
    rim = max(1, letter // 12)
    x, y = origin
    for right, down in ((-rim, -rim), (-rim, rim), (rim, -rim), (rim, rim)):
        place = (x + right, y + down)
        cv2.putText(image, text, place, _FONT, scale, BLACK, thickness, cv2.LINE_AA)
    cv2.putText(image, text, origin, _FONT, scale, line.colour, thickness, cv2.LINE_AA)


def _width(text: str, scale: float, thickness: int) -> int:
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    return int(width)


def _bar(margin: Picture, unit: int) -> None:
    """Draw the colour bar into a margin, at its lower right, with its labels left of it."""
    rows, columns = margin.shape[:2]
    width, height = (max(2, round(part * unit)) for part in _BAR)
    line = _LINE * unit
    gap = round(line / 2)
    right, low = columns - gap, rows - gap
    height = min(height, max(2, low - round(2 * line)))
    steps = np.linspace(255, 0, height).round().astype(np.uint8)
    margin[low - height : low, right - width : right] = heat_colours()[steps][:, None]
    cv2.rectangle(margin, (right - width, low - height), (right - 1, low - 1), WHITE, 1)
    for text, base in (("1", low - height + round(line / 2)), ("0", low)):
        _put(margin, Line(text), (right - width - round(0.6 * line), base), line, columns)
    room = min(columns, round(3.6 * line))
    _put(margin, Line("Grad-CAM"), (right - room + gap, low - height - gap), line, room - gap)


def _plain(text: str) -> str:
    """Write text in the letters that the font has: accents fall away, the rest becomes ``?``."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return letters.encode("ascii", "replace").decode("ascii")
