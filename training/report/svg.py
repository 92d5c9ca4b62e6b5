"""Drawings as SVG text: exact, small, and the same bytes for the same numbers."""

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]


def number(value: float) -> str:
    """Write a coordinate with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(name: str, *children: str, **attributes: str | float) -> str:
    """Write an element; in names of attributes ``_`` stands for ``-``, a last one for nothing."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(children)
    return f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>"


def _text(value: str | float) -> str:
    return escape(value, quote=True) if isinstance(value, str) else number(value)


def text(content: str, x: float, y: float, **attributes: str | float) -> str:
    """Write words at a place."""
    return element("text", escape(content), x=x, y=y, **attributes)


def path(points: Iterable[Point], *, close: bool = False) -> str:
    """Write the ``d`` of a path through points."""
    pairs = [f"{number(x)} {number(y)}" for x, y in points]
    return "M" + "L".join(pairs) + ("Z" if close else "")


def document(width: float, height: float, label: str, *children: str) -> str:
    """Write a whole drawing; ``label`` says what it shows to those who cannot see it."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )


class Axes:
    """A plot of two values in [0, 1] each.

    Parameters
    ----------
    x, y
        What the axes say.
    label
        What the drawing shows.
    """

    SIZE = 178.0
    LEFT, TOP, RIGHT, BOTTOM = 44.0, 10.0, 10.0, 40.0

    def __init__(self, x: str, y: str, label: str) -> None:
        self._label = label
        self._parts = [self._frame(), *self._words(x, y)]

    def at(self, point: Point) -> Point:
        """Find the place of a point of the plot."""
        return self.LEFT + point[0] * self.SIZE, self.TOP + (1 - point[1]) * self.SIZE

    def line(self, points: Sequence[Point], kind: str) -> None:
        """Draw a line of a kind that the style sheet knows."""
        self._parts.append(element("path", d=path(map(self.at, points)), class_=kind))

    def area(self, points: Sequence[Point], kind: str) -> None:
        """Fill what points enclose."""
        self._parts.append(element("path", d=path(map(self.at, points), close=True), class_=kind))

    def dot(self, point: Point, kind: str, radius: float = 4.0, title: str = "") -> None:
        """Draw a dot, with words that appear when it is pointed at."""
        x, y = self.at(point)
        said = [element("title", escape(title))] if title else []
        self._parts.append(element("circle", *said, cx=x, cy=y, r=radius, class_=kind))

    def bar(self, x0: float, x1: float, y: float, kind: str, base: float = 0.0) -> None:
        """Draw an upright bar."""
        left, top = self.at((x0, y))
        right, bottom = self.at((x1, base))
        size = {"width": max(right - left - 1, 0.5), "height": max(bottom - top, 0.0)}
        self._parts.append(element("rect", x=left, y=top, class_=kind, **size))

    def note(self, content: str, point: Point, anchor: str = "start") -> None:
        """Write words into the plot."""
        x, y = self.at(point)
        self._parts.append(text(content, x, y, text_anchor=anchor, class_="note"))

    def draw(self) -> str:
        """Give the drawing."""
        width = self.LEFT + self.SIZE + self.RIGHT
        return document(width, self.TOP + self.SIZE + self.BOTTOM, self._label, *self._parts)

    def _frame(self) -> str:
        lines = []
        for i in range(5):
            share = i / 4
            (x, _), (_, y) = self.at((share, 0)), self.at((0, share))
            ends = self.LEFT + self.SIZE, self.TOP + self.SIZE
            lines.append(element("line", x1=x, y1=self.TOP, x2=x, y2=ends[1], class_="grid"))
            lines.append(element("line", x1=self.LEFT, y1=y, x2=ends[0], y2=y, class_="grid"))
            lines.append(text(f"{share:g}", x, ends[1] + 14, text_anchor="middle", class_="tick"))
            if i:
                lines.append(
                    text(f"{share:g}", self.LEFT - 6, y + 3.5, text_anchor="end", class_="tick")
                )
        return "".join(lines)

    def _words(self, x: str, y: str) -> list[str]:
        middle = self.LEFT + self.SIZE / 2
        turned = f"translate(12 {number(self.TOP + self.SIZE / 2)}) rotate(-90)"
        return [
            text(x, middle, self.TOP + self.SIZE + 32, text_anchor="middle", class_="axis"),
            text(y, 0, 0, text_anchor="middle", class_="axis", transform=turned),
        ]
