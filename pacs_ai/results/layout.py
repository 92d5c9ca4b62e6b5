"""Where the points of a report lie, so that a viewer's labels can be read.

OHIF draws an arrow from each point to a line of text right of it and a tenth of the image's
height below. Labels of points at the same height run into each other, and a label that belongs
to a point near the lower edge is cut off.
"""

from collections.abc import Sequence

Point = tuple[float, float]

MARGIN = 0.03
_STEPS = (0.07, 0.06, 0.05, 0.04, 0.035, 0.03, 0.026, 0.022)
_LOWEST = 0.88
_LABEL_HEIGHT = 0.03
_LABEL_WIDTH = 0.45


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
        left margin otherwise, in the order given.
    """
    kept: list[Point | None] = []
    taken: list[Point] = []
    for peak in peaks:
        if peak is None or peak[1] > _LOWEST or any(_collide(peak, other) for other in taken):
            kept.append(None)
        else:
            kept.append(peak)
            taken.append(peak)
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
    return abs(one[0] - other[0]) < _LABEL_WIDTH and abs(one[1] - other[1]) < _LABEL_HEIGHT
