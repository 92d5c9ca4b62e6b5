"""The plots of an evaluation, drawn from the numbers in ``figures.json``."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from training.report.figure import (
    BLUE,
    FAINT,
    GREY,
    GROUND,
    INK,
    ORANGE,
    PALE_BLUE,
    PAPER,
    SOFT,
    sketch,
    svg,
    unit_plot,
)

Points = Sequence[Sequence[float]]

_LETTER = 6.2
_ROW = 24.0
_FOREST = 190.0
_CELL = 58.0
_DASHES = (0, (4, 4))


def roc(curve: dict[str, Any], name: str) -> str:
    """Draw sensitivity over 1 - specificity, with the band of 95 % of the draws of patients."""
    figure, axes = unit_plot("1 - specificity", "sensitivity")
    if curve["band"]:
        x, low, high = zip(*curve["band"], strict=True)
        axes.fill_between(x, low, high, color=PALE_BLUE, alpha=0.75, linewidth=0)
    chance_line(axes, [(0, 0), (1, 1)])
    line(axes, curve["roc"])
    if curve["operating"]:
        _, x, y = curve["operating"]
        style: dict[str, Any] = {"color": PAPER, "markeredgecolor": ORANGE, "markeredgewidth": 2.5}
        axes.plot(x, y, "o", markersize=10, clip_on=False, **style)
    return svg(figure, f"ROC curve of {name}")


def precision_recall(curve: dict[str, Any], name: str, prevalence: float) -> str:
    """Draw precision over recall; the dashed line is the prevalence."""
    figure, axes = unit_plot("recall", "precision")
    chance_line(axes, [(0, prevalence), (1, prevalence)])
    line(axes, curve["precision_recall"])
    return svg(figure, f"Precision and recall of {name}")


def reliability(curve: dict[str, Any], name: str) -> str:
    """Draw the share of positives over the probability; larger dots have more cases."""
    figure, axes = unit_plot("probability", "share of positives")
    chance_line(axes, [(0, 0), (1, 1)])
    points = curve["reliability"]
    most = max((n for _, _, n in points), default=1)
    line(axes, [(x, y) for x, y, _ in points], width=1.2)
    for x, y, n in points:
        size = 5 + 10 * (n / most) ** 0.5
        axes.plot(x, y, "o", color=BLUE, markersize=size, markeredgewidth=0, clip_on=False)
    return svg(figure, f"Reliability of {name}")


def histogram(curve: dict[str, Any], name: str) -> str:
    """Draw the distribution of probabilities, for cases without (below) and with (above)."""
    figure, axes = unit_plot("probability", "without | with")
    bins = curve["histogram"]
    without, with_it = (max((pair[i] for pair in bins), default=1) or 1 for i in (0, 1))
    left = [i / len(bins) for i in range(len(bins))]
    above = [0.48 * yes / with_it for _, yes in bins]
    below = [-0.48 * no / without for no, _ in bins]
    for heights, colour in ((above, BLUE), (below, GREY)):
        axes.bar(left, heights, 0.9 / len(bins), 0.5, align="edge", color=colour, alpha=0.8)
    axes.plot([0, 1], [0.5, 0.5], color=INK, linewidth=1)
    if curve["operating"]:
        cut = curve["operating"][0]
        axes.plot([cut, cut], [0, 1], color=ORANGE, linewidth=1.6, linestyle=(0, (3, 2)))
    return svg(figure, f"Probabilities of {name}")


def line(axes: Axes, points: Points, width: float = 2.0) -> None:
    """Draw a line through points (x, y)."""
    x, y = zip(*points, strict=True) if points else ((), ())
    axes.plot(x, y, color=BLUE, linewidth=width, solid_joinstyle="round", clip_on=False)


def chance_line(axes: Axes, points: Points) -> None:
    """Draw the dashed line that chance gives."""
    x, y = zip(*points, strict=True)
    axes.plot(x, y, color=GREY, linewidth=1.2, linestyle=_DASHES)


def confusion(table: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Draw counts by true (rows) and predicted class (columns), shaded by share of the row."""
    left, top = _room(names), 54.0
    figure, axes = sketch(left + _CELL * len(names), top + _CELL * len(names))
    axes.text(left + _CELL * len(names) / 2, 12, "predicted", ha="center", fontsize=12, color=INK)
    axes.text(left - 8, top - 10, "true", ha="right", fontsize=12, color=INK)
    for j, name in enumerate(names):
        x = left + (j + 0.5) * _CELL
        axes.text(x, top - 10, _short(name, 8), ha="center", fontsize=11, color=SOFT)
    for i, (name, row) in enumerate(zip(names, table, strict=True)):
        y, total = top + i * _CELL, sum(row) or 1
        label = _short(name, 24)
        axes.text(left - 8, y + _CELL / 2 + 4, label, ha="right", fontsize=11, color=SOFT)
        for j, count in enumerate(row):
            colour = BLUE if i == j else ORANGE
            _cell(axes, left + j * _CELL, y, colour, count, count / total)
    return svg(figure, "Confusion matrix")


def _cell(axes: Axes, x: float, y: float, colour: str, count: int, share: float) -> None:
    """Draw one cell of the confusion matrix."""
    style: dict[str, Any] = {"boxstyle": "round,pad=0,rounding_size=4", "linewidth": 0}
    for fill, alpha in ((GROUND, 1.0), (colour, 0.08 + 0.8 * share)):
        size = (_CELL - 2, _CELL - 2)
        axes.add_patch(FancyBboxPatch((x, y), *size, facecolor=fill, alpha=alpha, **style))
    pale = share > 0.6  # noqa: PLR2004
    middle: dict[str, Any] = {"x": x + _CELL / 2 - 1, "ha": "center"}
    number: dict[str, Any] = {"fontsize": 14, "fontweight": "bold", "color": PAPER if pale else INK}
    axes.text(y=y + _CELL / 2 + 1, s=str(count), **middle, **number)
    percent: dict[str, Any] = {"fontsize": 10.5, "color": PAPER if pale else SOFT}
    axes.text(y=y + _CELL / 2 + 15, s=f"{100 * share:.0f} %", **middle, **percent)


def forest(rows: Sequence[tuple[str, dict[str, Any]]], mark: float | None = None) -> str:
    """Draw figures in [0, 1] with their intervals below each other; ``mark`` is a dashed line."""
    left, height = _room([name for name, _ in rows]), _ROW * len(rows) + 24
    figure, axes = sketch(left + _FOREST + 14, height)
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = left + tick * _FOREST
        axes.plot([x, x], [4, height - 20], color=FAINT, linewidth=1)
        axes.text(x, height - 6, f"{tick:g}", ha="center", fontsize=11, color=SOFT)
    if mark is not None:
        x = left + mark * _FOREST
        axes.plot([x, x], [4, height - 20], color=GREY, linewidth=1.2, linestyle=_DASHES)
    for index, (name, found) in enumerate(rows):
        y = _ROW * (index + 0.5) + 4
        axes.text(left - 10, y + 4, _short(name, 24), ha="right", fontsize=11, color=SOFT)
        if found["value"] is None:
            note: dict[str, Any] = {"fontsize": 11, "color": SOFT, "style": "italic"}
            axes.text(left + 8, y + 4, "not defined", **note)
            continue
        ends = ("value", "value", "value") if found["low"] is None else ("value", "low", "high")
        value, low, high = (left + min(max(found[key], 0), 1) * _FOREST for key in ends)
        axes.plot([low, high], [y, y], color=BLUE, linewidth=2, alpha=0.55, solid_capstyle="round")
        axes.plot(value, y, "o", color=BLUE, markersize=9, markeredgewidth=0)
    return svg(figure, "Figures with 95 % intervals")


def _room(names: Sequence[str]) -> float:
    """Return the width of a column for the names, at most 24 letters of each."""
    return max(60.0, _LETTER * min(24, max(map(len, names))) + 16)


def _short(name: str, most: int) -> str:
    short = name if len(name) <= most else name[: most - 1] + "…"
    return short.replace("$", r"\$")  # text between dollars would be a formula
