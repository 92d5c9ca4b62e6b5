"""The page of a comparison: figures, and the studies on which the versions disagree."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from pacs_ai.comparison.pictures import Shown
from pacs_ai.pages.figures import cell, table
from pacs_ai.pages.frame import page

_HEAD = (
    "class",
    "studies",
    "changed",
    "kappa",
    "mean difference",
    "spread",
    "largest",
    "AUC first",
    "AUC second",
    "difference",
)


@dataclass(frozen=True, slots=True)
class ChangedStudy:
    """A study with a changed decision.

    ``number`` and ``reference`` are those of `pacs-ai studies show`. ``name`` is the class that is
    drawn, ``said`` has probability and decision of both versions by class. ``shown`` is None if
    there are no pictures: ``reason`` says why.
    """

    number: int
    reference: str
    name: str
    said: Mapping[str, tuple[tuple[float, str], tuple[float, str]]]
    shown: Shown | None
    reason: str


def comparison_page(found: Mapping[str, Any], changed: Iterable[ChangedStudy]) -> str:
    """Write the page.

    Parameters
    ----------
    found
        The figures.
    changed
        The studies to show; they are made one after the other.
    """
    first, second = (one["name"] for one in found["versions"])
    return page(
        f"Comparison: {first} and {second}",
        f'<p class="banner"><b>{escape(_counted(found))}</b></p>',
        [_figures(found), _pictures(changed), _left_out(found), _inputs(found)],
    )


def _counted(found: Mapping[str, Any]) -> str:
    return (
        f"{found['studies']} studies, {found['changed']} with a changed decision."
        f" Analysed for this comparison: {found['replayed']}."
    )


def _figures(found: Mapping[str, Any]) -> str:
    rows = [_row(name, one) for name, one in found["classes"].items()]
    moved = "".join(
        f"<li>{escape(name)}: {escape(how)}: {many}</li>"
        for name, one in found["classes"].items()
        for how, many in one["moved"].items()
    )
    text = (
        "Differences are the probability of the second version minus that of the first. Kappa"
        " (Cohen) is the agreement of the decisions beyond chance."
    )
    if found["with_truth"]:
        text += f" The AUC is over {found['with_truth']} studies whose truth is known, with 95 %"
        text += " intervals over patients."
    how = f'<p class="soft">{text}</p>'
    return f"<section><h2>Agreement</h2>{how}{table(_HEAD, rows)}<ul>{moved}</ul></section>"


def _row(name: str, one: Mapping[str, Any]) -> str:
    kappa = "&ndash;" if one["kappa"] is None else f"{one['kappa']:.3f}"
    cells = [
        f"<b>{escape(name)}</b>",
        f"{one['studies']}",
        f"{one['changed']} ({one['changed'] / one['studies']:.1%})",
        kappa,
        f"{one['mean_difference']:+.4f}",
        f"{one['spread']:.4f}",
        f"{one['largest']:.4f}",
        *(
            cell(one["auc"][key], sign=key == "difference") if one["auc"] else "&ndash;"
            for key in ("first", "second", "difference")
        ),
    ]
    return f"<tr>{''.join(f'<td>{each}</td>' for each in cells)}</tr>"


def _pictures(changed: Iterable[ChangedStudy]) -> str:
    shown = "".join(_study(one) for one in changed)
    if not shown:
        return ""
    how = (
        '<p class="soft">The studies whose probabilities differ most: the image, and where each'
        " version looked for the class (Grad-CAM, not an outline of a disease).</p>"
    )
    return f"<section><h2>Changed decisions</h2>{how}{shown}</section>"


def _study(one: ChangedStudy) -> str:
    said = "".join(
        f"<li>{escape(name)}: {_said(first)}, then {_said(second)}</li>"
        for name, (first, second) in one.said.items()
    )
    title = f"<h3>Study {one.number} ({escape(one.reference)}): {escape(one.name)}</h3>"
    if one.shown is None:
        return f"{title}<ul>{said}</ul><p>No pictures: {escape(one.reason)}.</p>"
    named = [("the image", one.shown.plain)]
    named += list(zip(("first version", "second version"), one.shown.heat, strict=True))
    figures = "".join(
        f'<figure><img src="{address}" alt="{text}, study {one.number}">'
        f'<figcaption class="plain">{text}</figcaption></figure>'
        for text, address in named
    )
    return f'{title}<ul>{said}</ul><div class="errors">{figures}</div>'


def _said(one: tuple[float, str]) -> str:
    probability, decision = one
    return f"{probability:.4f} {escape(decision)}".rstrip()


def _left_out(found: Mapping[str, Any]) -> str:
    if not found["not_compared"]:
        return ""
    rows = [
        f"<tr><td>{escape(why)}</td><td>{many}</td></tr>"
        for why, many in found["not_compared"].items()
    ]
    return f"<section><h2>Not compared</h2>{table(('reason', 'studies'), rows)}</section>"


def _inputs(found: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li><code>{escape(one['name'])}, manifest sha256 {one['manifest_sha256']}</code></li>"
        for one in found["versions"]
    )
    made = f"<li><code>pacs-ai {escape(found['pacs_ai'])}</code></li>"
    return f"<section><h2>Made from</h2><ul>{items}{made}</ul></section>"
