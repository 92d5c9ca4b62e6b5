"""The HTML page of an explanation, made from the files in its folder."""

from html import escape
from pathlib import Path
from typing import Any

from pacs_ai.pages.figures import cell
from training.report import html
from training.report.figure import svg, unit_plot
from training.report.plots import chance_line, line

EXPLAINED, PAGE, SANITY = "explain.json", "explain.html", "sanity.png"


def write_page(folder: Path) -> Path:
    """Write ``explain.html`` from ``explain.json`` and the pictures in the folder.

    Raises
    ------
    DataError
        If ``explain.json`` cannot be read.
    """
    found = html.read_values(folder / EXPLAINED, "explain the run again")
    title = f"{found['model']['name']} {found['model']['version']}: explanation"
    sections = (
        _faithfulness(found),
        _sanity(found, folder),
        _overlays(found, folder),
        _inside(found, folder),
        html.provenance_section(found),
    )
    html.write_page(folder / PAGE, title, "", sections)
    return folder / PAGE


def _faithfulness(found: dict[str, Any]) -> str:
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
        "<section><h2>Faithfulness of the heat maps</h2>"
        f'<p class="soft">{played} Pointing game: the share of images in which the peak of the map '
        "lies in the box. Deletion: area under the class' probability while the hottest pixels "
        "are blurred away, lower is better; insertion: while they come back, higher is better. "
        "A faithful map is better than a random order.</p>"
        f'<table>{rows}</table><div class="figures">{drawn}</div></section>'
    )


def _curves(curves: dict[str, list[float]], kind: str) -> str:
    figure, axes = unit_plot("share of pixels", "probability")
    for name, draw in (("at random", chance_line), ("Grad-CAM", line)):
        values = curves[f"{kind}, {name}"]
        draw(axes, [(i / (len(values) - 1), y) for i, y in enumerate(values)])
    return svg(figure, f"{kind} curve")


def _sanity(found: dict[str, Any], folder: Path) -> str:
    sanity = found["sanity"]
    title = "<section><h2>Do the heat maps depend on the weights?</h2>"
    if sanity is None:
        return f"{title}<p>Not measured: no image has a heat map that is not flat.</p></section>"
    rows = "".join(
        f"<tr><td>{escape(each['step'])}</td><td>{cell(each['rank_correlation'])}</td>"
        f"<td>{cell(each['ssim'])}</td></tr>"
        for each in sanity["steps"]
    )
    said = f"trained weights, then random ones, in {len(sanity['steps'])} steps"
    return (
        f"{title}<p><strong>{escape(sanity['verdict'])}</strong></p>"
        '<p class="soft">The weights are made random step by step, from the head down to the '
        f"image; those of earlier steps stay random. The Grad-CAM maps of {sanity['images']} "
        "images are compared with those of the trained network. A map that stays the same shows "
        "the image, and not what the network has learned.</p>"
        "<table><tr><th>made random</th><th>rank correlation</th><th>structural similarity</th>"
        f'</tr>{rows}</table><div class="sheets">{_figure(folder / SANITY, said)}</div></section>'
    )


def _overlays(found: dict[str, Any], folder: Path) -> str:
    shown = "".join(
        _figure(
            folder / f"overlay-{each['image']}.png",
            f"{each['class']}{'' if each['true'] else ' (predicted, not true)'}",
        )
        for each in found["images"]
    )
    return (
        "<section><h2>Heat maps</h2>"
        '<p class="soft">From left to right: the input, CAM, Grad-CAM, Grad-CAM++. Framed: the box '
        f'of the finding, where it is known.</p><div class="sheets">{shown}</div></section>'
    )


def _inside(found: dict[str, Any], folder: Path) -> str:
    maps = "".join(
        _figure(folder / f"features-{number}.png", layer)
        for number, layer in enumerate(found["layers"])
    )
    maximised = "".join(
        _figure(folder / f"class-{k}.png", name) for k, name in enumerate(found["classes"])
    )
    return (
        "<section><h2>Feature maps</h2>"
        '<p class="soft">The most active channels of some layers for one image, in viridis; '
        f'each layer has its own scale.</p><div class="sheets">{maps}</div></section>'
        "<section><h2>Activation maximisation</h2>"
        '<p class="soft">Images made by gradient ascent from grey. They show what activates '
        "the network most, not what a finding looks like.</p>"
        f'<div class="figures">{maximised}</div></section>'
    )


def _figure(path: Path, label: str) -> str:
    return (
        f"<figure>{html.image(path.read_bytes(), label)}"
        f'<figcaption class="plain">{escape(label)}</figcaption></figure>'
    )
