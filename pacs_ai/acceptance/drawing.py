"""The curves of an acceptance test as SVG."""

from collections.abc import Sequence
from html import escape

Points = Sequence[Sequence[float]]

_SIDE, _LEFT, _TOP, _BELOW = 180.0, 46.0, 10.0, 42.0
_BLUE, _PALE, _GREY, _ORANGE, _SOFT = "#1f6fb2", "#cfe2f3", "#9aa7b5", "#c8651b", "#5d6b7c"


def roc(points: Points, band: Points, operating: Sequence[float] | None, name: str) -> str:
    """Draw sensitivity over 1 - specificity.

    Parameters
    ----------
    points
        Rows of 1 - specificity and sensitivity, in [0, 1].
    band
        Rows of 1 - specificity, lowest and highest sensitivity of 95 % of the draws.
    operating
        Threshold, 1 - specificity and sensitivity; None if they are not defined.
    name
        The class.
    """
    outline = [(x, high) for x, _, high in band] + [(x, low) for x, low, _ in reversed(band)]
    parts = [
        f'<polygon points="{_places(outline)}" fill="{_PALE}"/>' if outline else "",
        _line([(0, 0), (1, 1)], _GREY, dashed=True),
        _line(points, _BLUE),
        _dot(operating[1], operating[2], 5, _ORANGE) if operating else "",
    ]
    return _plot("".join(parts), "1 - specificity", "sensitivity", f"ROC curve of {name}")


def reliability(points: Points, name: str) -> str:
    """Draw the share of positives over the probability; larger dots have more studies.

    Parameters
    ----------
    points
        Rows of mean probability, share of positives, number of studies.
    name
        The class.
    """
    most = max((count for *_, count in points), default=1)
    parts = [_line([(0, 0), (1, 1)], _GREY, dashed=True)]
    parts.append(_line([(x, y) for x, y, _ in points], _BLUE, width=1.2))
    parts += [_dot(x, y, 2.5 + 5 * (count / most) ** 0.5, _BLUE) for x, y, count in points]
    return _plot("".join(parts), "probability", "share of positives", f"Reliability of {name}")


def _x(value: float) -> float:
    return _LEFT + _SIDE * value


def _y(value: float) -> float:
    return _TOP + _SIDE * (1 - value)


def _places(points: Points) -> str:
    return " ".join(f"{_x(point[0]):.1f},{_y(point[1]):.1f}" for point in points)


def _line(points: Points, colour: str, *, width: float = 2.0, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="4 4"' if dashed else ""
    style = f'fill="none" stroke="{colour}" stroke-width="{width}"{dashes}'
    return f'<polyline points="{_places(points)}" {style}/>'


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{radius:.1f}" fill="{colour}"/>'


def _plot(inside: str, across: str, up: str, label: str) -> str:
    """Draw axes from 0 to 1 with their names around what is inside."""
    width, height = _LEFT + _SIDE + 10, _TOP + _SIDE + _BELOW
    grid, middle = [], _TOP + _SIDE / 2
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        for line in ([(tick, 0), (tick, 1)], [(0, tick), (1, tick)]):
            grid.append(_line(line, "#dfe5ec", width=1))
        grid.append(_text(_x(tick), _y(0) + 16, f"{tick:g}"))
        grid.append(_text(_LEFT - 14, _y(tick) + 4, f"{tick:g}"))
    named = _text(_LEFT + _SIDE / 2, height - 6, across) + _text(
        12, middle, up, f' transform="rotate(-90 12 {middle:.0f})"'
    )
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{width:.0f}" height="{height:.0f}"'
        f' viewBox="0 0 {width:.0f} {height:.0f}">{"".join(grid)}{inside}{named}</svg>'
    )


def _text(x: float, y: float, text: str, more: str = "") -> str:
    style = f'font-size="11" fill="{_SOFT}" text-anchor="middle"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}{more}>{escape(text)}</text>'
