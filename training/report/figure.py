"""Matplotlib figures as inline SVG or as PNG; the same content gives the same bytes."""

import io
import re
from html import escape
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pacs_ai.files import atomic_write

INK, SOFT, FAINT, GREY = "#1c2430", "#5d6b7c", "#dfe5ec", "#9aa7b5"
BLUE, PALE_BLUE, ORANGE, PAPER, GROUND = "#1f6fb2", "#cfe2f3", "#c8651b", "#ffffff", "#f4f6f9"
"""The colours of ``style.css``."""

_SIDE, _LEFT, _RIGHT, _TOP, _BOTTOM = 178.0, 44.0, 10.0, 10.0, 40.0
_PIXELS = 72  # to the inch, so that a length in points is one in pixels
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "pacs-ai", "svg.id": None}


def sketch(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of a size in pixels, with axes in pixels over all of it, from the top left."""
    figure = Figure(figsize=(width / _PIXELS, height / _PIXELS), dpi=_PIXELS, facecolor="none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def unit_plot(x: str, y: str) -> tuple[Figure, Axes]:
    """Make a figure with axes from 0 to 1; ``x`` and ``y`` are their labels."""
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    figure = Figure(figsize=(width / _PIXELS, height / _PIXELS), dpi=_PIXELS, facecolor="none")
    box = (_LEFT / width, _BOTTOM / height, _SIDE / width, _SIDE / height)
    axes = figure.add_axes(box, xlim=(0, 1), ylim=(0, 1), axisbelow=True, facecolor="none")
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(ticks, ["", *(f"{tick:g}" for tick in ticks[1:])])
    axes.tick_params(length=0, labelsize=11, labelcolor=SOFT, pad=4)
    axes.grid(color=FAINT, linewidth=1)
    axes.set_xlabel(x, fontsize=12, color=INK)
    axes.set_ylabel(y, fontsize=12, color=INK)
    axes.spines[:].set_visible(False)
    return figure, axes


def svg(figure: Figure, label: str) -> str:
    """Write a figure as an SVG element for a page.

    Parameters
    ----------
    label
        Describes the figure for people who cannot see it.
    """
    buffer = io.StringIO()
    with rc_context(_SVG):  # type: ignore[arg-type]
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawing = buffer.getvalue()[buffer.getvalue().index("<svg") :].rstrip()
    # The page has one font and one style for all of its drawings.
    drawing = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</defs>", "", drawing, flags=re.S)
    drawing = re.sub(r' xmlns(:\w+)?="[^"]*"', "", drawing)  # HTML needs none
    drawing = re.sub(r"font: (\d+(?:\.\d+)?)px [^;\"]*", r"font-size: \1px", drawing)
    drawing = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', drawing)
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(label, quote=True)}" ', 1)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    atomic_write(path, buffer.getvalue())
