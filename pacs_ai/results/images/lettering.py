"""What is written beside an image of a picture: the lines of a legend, and the colour bar.

Drawing is done with OpenCV.
"""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pacs_ai.results.images.colours import heat_colours

Picture = npt.NDArray[np.uint8]
"""Shape (rows, columns, 3), RGB."""

LINE = 0.042
"""Height of a line of a legend, of the shorter side of the image that it is about."""

BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
AMBER = (255, 191, 0)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LARGEST_LINE = 0.2  # height of a line, of the band
_LETTER = 0.6  # height of a capital, of the line
_HEADLINE = 1.4
_NARROWER, _SMALLEST = 0.95, 0.06  # steps by which letters are made to fit, and their end
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


def write(
    band: Picture, lines: Sequence[Line], line: float = math.inf, share: float = _LARGEST_LINE
) -> None:
    """Write lines into a band, from its top, as large as they fit; changed in place.

    Parameters
    ----------
    band
        The part of a picture that they are written into.
    lines
        From top to bottom.
    line
        Greatest height of a line, in pixels.
    share
        Greatest height of a line, of that of the band.
    """
    rows, columns = band.shape[:2]
    if not lines:
        return
    height = min(line, share * rows, rows / (sum(one.size for one in lines) + 1))
    margin = min(round(height / 2), columns // 30)
    baseline = 0.0
    for one in lines:
        baseline += height * one.size
        _put(band, one, (margin, round(baseline)), height * one.size, columns - 2 * margin)


def draw_bar(margin: Picture, unit: int) -> None:
    """Draw the colour bar into a margin, at its lower right, with its labels left of it.

    Parameters
    ----------
    margin
        The part of a picture that it is drawn into; changed in place.
    unit
        Pixels that its size is in proportion to: the shorter side of the image.
    """
    rows, columns = margin.shape[:2]
    width, height = (max(2, round(part * unit)) for part in _BAR)
    line = LINE * unit
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


def _plain(text: str) -> str:
    """Write text in the letters that the font has: accents fall away, the rest becomes ``?``."""
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return letters.encode("ascii", "replace").decode("ascii")
