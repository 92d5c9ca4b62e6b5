"""Placement of the points of a report, so that a viewer's labels are legible.

OHIF draws an arrow from each point to a line of text right of it and a tenth of the image's
height below. Labels of points at the same height run into each other, and a label that belongs
to a point near the lower edge is cut off.
"""

from collections.abc import Sequence

Point = tuple[float, float]

MARGIN = 0.03
_SCATTERED = 6  # most labels that stay at their peaks; more of them become a list at the margin
_RIGHTMOST = 0.55  # a label that begins further right runs out of the image
_STEPS = (0.07, 0.06, 0.05, 0.04, 0.035, 0.03, 0.026, 0.022)
_LOWEST = 0.88
_ARROW = 0.1  # from the point to its text, across and down
_LABEL_HEIGHT = 0.03
_LABEL_WIDTH = 0.38

_Box = tuple[float, float, float, float]


def place_points(peaks: Sequence[Point | None]) -> list[Point]:
    """Place the points of one image.

    Parameters
    ----------
    peaks
        For each label the place it belongs to, or None if it has none.

    Returns
    -------
    list of (x, y)
        For each label, in parts of width and height: its place where it is free, a line at the
        left margin otherwise, in the order given. Many labels are a list at the margin, all of
        them (ADR 0010).
    """
    kept: list[Point | None] = []
    taken: list[Point] = []
    for peak in peaks:
        cut_off = peak is None or peak[0] > _RIGHTMOST or peak[1] > _LOWEST
        if peak is None or cut_off or any(_collide(peak, other) for other in taken):
            kept.append(None)
        else:
            kept.append(peak)
            taken.append(peak)
    if len(peaks) > _SCATTERED:
        kept, taken = [None] * len(peaks), []
    lines = iter(_lines(kept.count(None), taken))
    return [(MARGIN, next(lines)) if peak is None else peak for peak in kept]


def _lines(wanted: int, taken: Sequence[Point]) -> list[float]:
    for step in _STEPS:
        rows = [step * line for line in range(1, int(_LOWEST / step) + 1)]
        free = [y for y in rows if not any(_collide((MARGIN, y), other) for other in taken)]
        if len(free) >= wanted:
            return free[:wanted]
    return [_LOWEST * line / wanted for line in range(1, wanted + 1)]


def _collide(one: Point, other: Point) -> bool:
    """Tell whether the text of one point meets text or arrow of the other."""
    return (
        _overlap(_text(one), _text(other))
        or _overlap(_text(one), _arrow(other))
        or _overlap(_arrow(one), _text(other))
    )


def _arrow(point: Point) -> _Box:
    x, y = point
    return x, y, x + _ARROW, y + _ARROW


def _text(point: Point) -> _Box:
    left, middle = point[0] + _ARROW, point[1] + _ARROW
    half = _LABEL_HEIGHT / 2
    return left, middle - half, left + _LABEL_WIDTH, middle + half


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
