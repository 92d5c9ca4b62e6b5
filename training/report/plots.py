"""The plots of an evaluation, drawn from the numbers in ``figures.json``."""

from collections.abc import Sequence
from typing import Any

from training.report.svg import Axes, document, element, text

_LETTER = 6.2
_ROW = 24.0
_FOREST = 190.0
_CELL = 58.0


def roc(curve: dict[str, Any], name: str) -> str:
    """Draw sensitivity over 1 - specificity, with the band of 95 % of the draws of patients."""
    axes = Axes("1 - specificity", "sensitivity", f"ROC curve of {name}")
    band = curve["band"]
    upper, lower = [(x, high) for x, _, high in band], [(x, low) for x, low, _ in band]
    if band:
        axes.area([*upper, *reversed(lower)], "band")
    axes.line([(0, 0), (1, 1)], "chance")
    axes.line(curve["roc"], "curve")
    _operating(axes, curve, lambda x, y: (x, y))
    return axes.draw()


def precision_recall(curve: dict[str, Any], name: str, prevalence: float) -> str:
    """Draw precision over recall; the dashed line is the prevalence."""
    axes = Axes("recall", "precision", f"Precision and recall of {name}")
    axes.line([(0, prevalence), (1, prevalence)], "chance")
    axes.line(curve["precision_recall"], "curve")
    return axes.draw()


def reliability(curve: dict[str, Any], name: str) -> str:
    """Draw the share of positives over the probability; larger dots have more cases."""
    axes = Axes("probability", "came true", f"Reliability of {name}")
    axes.line([(0, 0), (1, 1)], "chance")
    points = curve["reliability"]
    most = max((n for _, _, n in points), default=1)
    axes.line([(x, y) for x, y, _ in points], "curve thin")
    for x, y, n in points:
        axes.dot((x, y), "dot", 2.5 + 5 * (n / most) ** 0.5, f"{n} cases: {x:.3f} → {y:.3f}")
    return axes.draw()


def histogram(curve: dict[str, Any], name: str) -> str:
    """Draw the distribution of probabilities, for cases without (below) and with (above)."""
    axes = Axes("probability", "without | with", f"Probabilities of {name}")
    bins = curve["histogram"]
    without, with_it = (max((pair[i] for pair in bins), default=1) or 1 for i in (0, 1))
    width = 1 / len(bins)
    for i, (no, yes) in enumerate(bins):
        axes.bar(i * width, (i + 1) * width, 0.5 + 0.48 * yes / with_it, "with", 0.5)
        axes.bar(i * width, (i + 1) * width, 0.5, "without", 0.5 - 0.48 * no / without)
    axes.line([(0, 0.5), (1, 0.5)], "base")
    if curve["operating"]:
        cut = curve["operating"][0]
        axes.line([(cut, 0), (cut, 1)], "cut")
    return axes.draw()


def _operating(axes: Axes, curve: dict[str, Any], place: Any) -> None:  # noqa: ANN401
    if curve["operating"]:
        cut, x, y = curve["operating"]
        axes.dot(place(x, y), "operating", 5, f"operating point {cut:.4g}")


def confusion(table: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Draw counts by true (rows) and predicted class (columns), shaded by share of the row."""
    left, top = _room(names), 54.0
    parts = [
        text("predicted", left + _CELL * len(names) / 2, 12, text_anchor="middle", class_="axis"),
        text("true", left - 8, top - 10, text_anchor="end", class_="axis"),
    ]
    for j, name in enumerate(names):
        x = left + (j + 0.5) * _CELL
        parts.append(text(_short(name, 8), x, top - 10, text_anchor="middle", class_="tick"))
    for i, (name, row) in enumerate(zip(names, table, strict=True)):
        y, total = top + i * _CELL, sum(row) or 1
        parts.append(
            text(_short(name, 24), left - 8, y + _CELL / 2 + 4, text_anchor="end", class_="tick")
        )
        for j, count in enumerate(row):
            x, share = left + j * _CELL, count / total
            kind = "right" if i == j else "wrong"
            side = {"width": _CELL - 2, "height": _CELL - 2, "rx": 4}
            parts += [
                element("rect", x=x, y=y, class_="cell", **side),
                element("rect", x=x, y=y, class_=kind, fill_opacity=0.08 + 0.8 * share, **side),
                text(
                    str(count),
                    x + _CELL / 2 - 1,
                    y + _CELL / 2 + 1,
                    text_anchor="middle",
                    class_="count" + (" pale" if share > 0.6 else ""),  # noqa: PLR2004
                ),
                text(
                    f"{100 * share:.0f} %",
                    x + _CELL / 2 - 1,
                    y + _CELL / 2 + 15,
                    text_anchor="middle",
                    class_="share" + (" pale" if share > 0.6 else ""),  # noqa: PLR2004
                ),
            ]
    size = left + _CELL * len(names), top + _CELL * len(names)
    return document(*size, "Confusion matrix", *parts)


def forest(rows: Sequence[tuple[str, dict[str, Any]]], mark: float | None = None) -> str:
    """Draw figures in [0, 1] with their intervals below each other; ``mark`` is a dashed line."""
    parts = []
    left, height = _room([name for name, _ in rows]), _ROW * len(rows) + 24
    for i in range(5):
        x = left + i / 4 * _FOREST
        parts.append(element("line", x1=x, y1=4, x2=x, y2=height - 20, class_="grid"))
        parts.append(text(f"{i / 4:g}", x, height - 6, text_anchor="middle", class_="tick"))
    if mark is not None:
        x = left + mark * _FOREST
        parts.append(element("line", x1=x, y1=4, x2=x, y2=height - 20, class_="chance"))
    for index, (name, found) in enumerate(rows):
        y = _ROW * (index + 0.5) + 4
        parts.append(text(_short(name, 24), left - 10, y + 4, text_anchor="end", class_="tick"))
        if found["value"] is None:
            parts.append(text("not defined", left + 8, y + 4, class_="note"))
            continue
        value, low, high = (
            left + min(max(found[key], 0), 1) * _FOREST for key in ("value", "low", "high")
        )
        parts.append(element("line", x1=low, y1=y, x2=high, y2=y, class_="whisker"))
        parts.append(element("circle", cx=value, cy=y, r=4.5, class_="dot"))
    return document(left + _FOREST + 14, height, "Figures with 95 % intervals", *parts)


def _room(names: Sequence[str]) -> float:
    """Return the width of a column for the names, at most 24 letters of each."""
    return max(60.0, _LETTER * min(24, max(map(len, names))) + 16)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
