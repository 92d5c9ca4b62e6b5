"""Plots of a training, by matplotlib."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.report.figure import save_png

Row = Mapping[str, float]


def draw_curves(rows: Sequence[Row], path: Path) -> None:
    """Draw loss, accuracy and learning rates over the epochs, training beside validation."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _pair(left, rows, "loss")
    _pair(middle, rows, "accuracy" if "accuracy" in rows[0] else "class_accuracy")
    groups = [name for name in rows[0] if name.startswith("learning_rate_")]
    shown = [name for name in groups if any(row[name] > 0 for row in rows)] or ["learning_rate"]
    rates = {name: [row[name] for row in rows] for name in shown}
    for name in reversed(shown):
        label = name.removeprefix("learning_rate_") if groups else None
        right.plot(_epochs(rows), rates[name], color=None if groups else "tab:grey", label=label)
    if groups:
        right.legend(frameon=False, fontsize="x-small")
    # a cosine schedule ends at 0, which a logarithmic axis cannot show if it is the only value
    some = max(max(values) for values in rates.values()) > 0
    right.set(xlabel="epoch", title="learning rate", yscale="log" if some else "linear")
    save_png(figure, path)


def _pair(axes: Axes, rows: Sequence[Row], name: str) -> None:
    axes.plot(_epochs(rows), [row[name] for row in rows], label="training")
    axes.plot(_epochs(rows), [row[f"val_{name}"] for row in rows], label="validation")
    axes.set(xlabel="epoch", title=name.removeprefix("class_"))
    axes.legend(frameon=False)


def _epochs(rows: Sequence[Row]) -> list[int]:
    return list(range(1, len(rows) + 1))
