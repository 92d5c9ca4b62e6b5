"""The page of an acceptance test. The same cases, model and limits give the same bytes."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from pacs_ai.acceptance import drawing
from pacs_ai.pages.figures import NAMES, cell, span, table, value
from pacs_ai.pages.frame import page

_TILES = (
    "auc",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "average_precision",
    "calibration_error",
)
_CLASS = ("auc", "average_precision", "sensitivity", "specificity", "ppv", "npv")
_GROUP = ("auc", "sensitivity", "specificity", "balanced_accuracy", "calibration_error")


def acceptance_page(found: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    found
        The content of ``acceptance.json``.
    """
    model = found["model"]
    return page(
        f"Acceptance test: {model['name']} {model['version']}",
        f'<p class="banner"><b>{_verdict(found)}</b></p>'
        f"<p>{escape(_counted(found['studies']))}</p>"
        '<p class="banner">For research. The page says how the model did on these studies, and '
        "nothing about others.</p>",
        [
            _limits(found["checks"]),
            _figures(found),
            _subgroups(found),
            _card(found["card"]),
            _proposed(found),
            _left_out(found["studies"]),
            _inputs(found),
        ],
    )


def _verdict(found: Mapping[str, Any]) -> str:
    if found["passed"] is None:
        return "No limits were given: this page only measures."
    failed = sum(not one["kept"] for one in found["checks"])
    if failed:
        return f"Not passed: {failed} of {len(found['checks'])} limits are not kept."
    return f"Passed: all {len(found['checks'])} limits are kept."


def _counted(studies: Mapping[str, Any]) -> str:
    text = f"{studies['all']} studies, {studies['analysed']} analysed, "
    text += f"{studies['not_analysable']} not analysable"
    undetermined = ", ".join(f"{name} {many}" for name, many in studies["undetermined"].items())
    return text + (f"; the node decides neither way: {undetermined}." if undetermined else ".")


def _limits(checks: Sequence[Mapping[str, Any]]) -> str:
    if not checks:
        return ""
    rows = [
        f"<tr><td>{escape(one['about'])}</td><td>{escape(one['limit'])}</td>"
        f"<td>{escape(one['found'])}</td>"
        f'<td class="{"better" if one["kept"] else "worse"}">'
        f"{'kept' if one['kept'] else 'not kept'}</td></tr>"
        for one in checks
    ]
    return _section("Limits", table(["", "limit", "found", ""], rows))


def _figures(found: Mapping[str, Any]) -> str:
    if found["all"] is None:
        return _section("Figures", "<p>No study was analysed: there are no figures.</p>")
    overall, classes = found["all"]["overall"], found["all"]["classes"]
    tiles = "".join(
        f'<div class="tile"><span>{NAMES[name]}</span><b>{value(overall[name])}</b>'
        f"<span>{span(overall[name])}</span></div>"
        for name in _TILES
    )
    rows = []
    for name, positives, cut in zip(
        classes, found["all"]["positives"], found["model"]["thresholds"], strict=True
    ):
        cells = "".join(f"<td>{cell(classes[name][key])}</td>" for key in _CLASS)
        (true_no, false_yes), (false_no, true_yes) = found["confusion"][name]
        counts = f"<td>{true_yes} / {false_yes} / {true_no} / {false_no}</td>"
        rows.append(
            f"<tr><td><b>{escape(name)}</b></td><td>{positives}</td><td>{cut:.4g}</td>"
            f"{counts}{cells}</tr>"
        )
    head = ["class", "cases", "threshold", "TP / FP / TN / FN", *(NAMES[key] for key in _CLASS)]
    undefined = "".join(f"<li>{escape(line)}</li>" for line in found["all"]["undefined"])
    return _section(
        "Figures",
        f'<p class="soft">{found["all"]["cases"]} studies of {found["all"]["patients"]} patients, '
        "at the operating points of the bundle. Below each figure its 95 % interval from "
        f"{found['settings']['resamples']} draws of patients with replacement. An interval of no "
        "width means that no draw held an error: with n patients and no error, the true rate of "
        "errors may still be up to about 3 / n.</p>"
        f'<div class="tiles">{tiles}</div><ul>{undefined}</ul>{table(head, rows)}'
        f"{_curves(found)}",
    )


def _curves(found: Mapping[str, Any]) -> str:
    parts = []
    for name, curve in found["curves"].items():
        drawn = [drawing.reliability(curve["reliability"], name)]
        if curve["roc"]:
            drawn.insert(0, drawing.roc(curve["roc"], curve["band"], curve["operating"], name))
        shown = "".join(f"<figure>{one}</figure>" for one in drawn)
        parts.append(f'<h3>{escape(name)}</h3><div class="figures">{shown}</div>')
    return "".join(parts) + (
        '<p class="how">ROC: the band holds 95 % of the draws, the dot is the operating point. '
        "Reliability: on the dashed line a probability of 0.8 comes true in 80 % of studies.</p>"
    )


def _subgroups(found: Mapping[str, Any]) -> str:
    parts = []
    for kind, groups in found["subgroups"].items():
        rows = []
        for name, one in groups.items():
            cells = "".join(f"<td>{cell(one['overall'][key])}</td>" for key in _GROUP)
            counts = f"<td>{one['cases']}</td><td>{one['patients']}</td>"
            rows.append(f"<tr><td><b>{escape(name)}</b></td>{counts}{cells}</tr>")
        head = [escape(kind), "studies", "patients", *(NAMES[key] for key in _GROUP)]
        parts.append(f"<h3>By {escape(kind)}</h3>{table(head, rows)}")
    if not parts:
        return ""
    smallest = found["settings"]["smallest_group"]
    said = f"Groups with at least {smallest} patients. Small groups have wide intervals."
    return _section("Subgroups", f'<p class="soft">{said}</p>{"".join(parts)}')


def _card(card: Mapping[str, Any]) -> str:
    if not card:
        return _section("Compared with the card", "<p>The bundle states no figures.</p>")
    rows = [
        f"<tr><td>{NAMES[name]}</td><td>{cell(one['card'])}</td><td>{cell(one['here'])}</td>"
        f'<td class="{_direction(one)}">{-one["worse"]:+.3f}</td></tr>'
        for name, one in card.items()
    ]
    return _section(
        "Compared with the card",
        f"{table(['', 'card', 'here', 'better (+) or worse (-)'], rows)}"
        '<p class="how">Coloured: both intervals have a width, and they do not overlap.</p>',
    )


def _direction(one: Mapping[str, Any]) -> str:
    return ("worse" if one["worse"] > 0 else "better") if one["apart"] else ""


def _proposed(found: Mapping[str, Any]) -> str:
    if not found["proposed"]:
        return ""
    keys = ("sensitivity", "specificity", "ppv", "npv")
    rows = []
    for name, one in found["proposed"].items():
        cells = "".join(f"<td>{cell(one[key])}</td>" for key in keys)
        cut = f"<td>{one['now']:.4g}</td><td><b>{one['threshold']:.6g}</b></td>"
        rows.append(f"<tr><td><b>{escape(name)}</b></td>{cut}{cells}</tr>")
    rule = found["settings"]["operating_point"]
    said = {
        "youden": "the highest sensitivity + specificity",
        "sensitivity": f"the best specificity with a sensitivity of at least {rule['target']}",
        "specificity": f"the best sensitivity with a specificity of at least {rule['target']}",
    }[rule["rule"]]
    return _section(
        "Proposed operating point",
        f"{table(['', 'now', 'proposed', *(NAMES[key] for key in keys)], rows)}"
        f'<p class="how">Chosen on these studies for {said}; the figures are of the same studies, '
        "so on others they will be lower. The node goes on with the thresholds of the bundle.</p>",
    )


def _left_out(studies: Mapping[str, Any]) -> str:
    if not studies["not_analysable"]:
        return ""
    share = f"{studies['not_analysable'] / studies['all']:.1%}"
    rows = [
        f"<tr><td>{escape(why)}</td><td>{many}</td></tr>"
        for why, many in studies["reasons"].items()
    ]
    with_it = ", ".join(f"{name} {many}" for name, many in studies["not_analysable_with"].items())
    return _section(
        "Not analysable",
        f"<p>{studies['not_analysable']} of {studies['all']} studies ({share}). What is true of "
        f"them: {escape(with_it)}. No figure above counts them.</p>"
        f"{table(['reason', 'studies'], rows)}",
    )


def _inputs(found: Mapping[str, Any]) -> str:
    model = found["model"]
    lines = [
        f"model {model['name']} {model['version']}, manifest sha256 {model['manifest_sha256']}",
        f"computed by {model['runtime']}; pacs-ai {found['pacs_ai']}",
        *(f"{name}: {digest}" for name, digest in found["inputs"].items()),
        *(f"{name}: {digest}" for name, digest in found.get("outputs", {}).items()),
    ]
    items = "".join(f"<li><code>{escape(line)}</code></li>" for line in lines)
    return _section("Made from", f"<ul>{items}</ul>")


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"
