"""The page of an explanation, made only of what lies in its folder."""

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

from pacs_ai.errors import DataError
from training.report.page import STYLE
from training.report.svg import Axes
from training.report.tables import cell
from training.run.disk import write_whole

EXPLAINED, PAGE = "explain.json", "explain.html"


def write_page(folder: Path) -> Path:
    """Make ``explain.html`` of ``explain.json`` and the pictures beside it.

    Raises
    ------
    DataError
        If there is no explanation.
    """
    try:
        found = json.loads((folder / EXPLAINED).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / EXPLAINED} cannot be read: explain the run again") from error
    title = f"{found['model']['name']} {found['model']['version']}: what it looks at"
    page = (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>\n<body><main>"
        f"<header><h1>{escape(title)}</h1></header>\n"
        f"{_worth(found)}\n{_overlays(found, folder)}\n{_inside(found, folder)}\n"
        "</main></body></html>\n"
    )
    write_whole(folder / PAGE, page)
    return folder / PAGE


def _worth(found: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{cell(each)}</td></tr>"
        for name, each in found["measured"].items()
    )
    drawn = "".join(
        f"<figure>{_curves(found['curves'], kind)}<figcaption>{kind}; dashed: pixels at random"
        "</figcaption></figure>"
        for kind in ("deletion", "insertion")
        if f"{kind}, Grad-CAM" in found["curves"]
    )
    boxes = found["boxes"]
    played = f"{boxes} images had a box of their finding." if boxes else "No image had a box."
    return (
        "<section><h2>What a heat map is worth</h2>"
        f'<p class="soft">{played} Pointing game: the share of images in which the peak of the map '
        "lies in the box. Deletion: area under the class' probability while the hottest pixels "
        "are blurred away, lower is better; insertion: while they come back, higher is better. "
        "A map that is worth something beats the order drawn at random.</p>"
        f'<table>{rows}</table><div class="figures">{drawn}</div></section>'
    )


def _curves(curves: dict[str, list[float]], kind: str) -> str:
    axes = Axes("share of pixels", "probability", f"{kind} curve")
    for name, style in (("at random", "chance"), ("Grad-CAM", "curve")):
        line = curves[f"{kind}, {name}"]
        axes.line([(i / (len(line) - 1), y) for i, y in enumerate(line)], style)
    return axes.draw()


def _overlays(found: dict[str, Any], folder: Path) -> str:
    shown = "".join(
        _figure(
            folder / f"overlay-{each['image']}.png",
            f"{each['class']}{'' if each['true'] else ' (not true: what was answered)'}",
        )
        for each in found["images"]
    )
    return (
        "<section><h2>Where it looks</h2>"
        '<p class="soft">From left to right: the input, CAM, Grad-CAM, Grad-CAM++. Framed: the box '
        f'of the finding, where it is known.</p><div class="sheets">{shown}</div></section>'
    )


def _inside(found: dict[str, Any], folder: Path) -> str:
    maps = "".join(
        _figure(folder / f"features-{number}.png", layer)
        for number, layer in enumerate(found["layers"])
    )
    liked = "".join(
        _figure(folder / f"class-{k}.png", name) for k, name in enumerate(found["classes"])
    )
    return (
        "<section><h2>Feature maps</h2>"
        '<p class="soft">The most active channels of some layers for one image, in viridis; '
        f'each layer has its own scale.</p><div class="sheets">{maps}</div></section>'
        "<section><h2>What each class likes best</h2>"
        '<p class="soft">Images made by gradient ascent from grey. They show what the network '
        "answers to, not what a finding looks like.</p>"
        f'<div class="figures">{liked}</div></section>'
    )


def _figure(path: Path, label: str) -> str:
    picture = base64.b64encode(path.read_bytes()).decode()
    said = escape(label)
    return (
        f'<figure><img alt="{said}" src="data:image/png;base64,{picture}">'
        f'<figcaption class="plain">{said}</figcaption></figure>'
    )
