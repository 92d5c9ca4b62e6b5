"""The report of an evaluation: one HTML page, made from the files in the folder.

It has no script, no link and no date, so the same figures give the same bytes.
"""

from html import escape
from pathlib import Path
from typing import Any

from pacs_ai.pages.figures import NAMES, cell, span, value
from training.report import plots, tables
from training.report.html import image, provenance_section, read_values, write_page
from training.report.names import describe_set, describe_threshold

FIGURES, ERRORS, REPORT = "figures.json", "errors", "report.html"
_TILES = (
    "auc",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "accuracy",
    "average_precision",
    "f1",
    "mcc",
    "calibration_error",
    "loss",
)
_CURVED = 12


def write_report(folder: Path) -> Path:
    """Write ``report.html`` from ``figures.json`` and the pictures in the folder.

    Raises
    ------
    DataError
        If ``figures.json`` cannot be read.
    """
    figures = read_values(folder / FIGURES, "evaluate the run again")
    pictures = {path.stem: path.read_bytes() for path in sorted((folder / ERRORS).glob("*.png"))}
    model = figures["model"]
    write_page(
        folder / REPORT,
        f"{model['name']} {model['version']}: {figures['set']['name']}",
        f"<p>{escape(describe_set(figures))}</p>"
        '<p class="banner">For research. No figure here makes this a medical device, and none says '
        "anything about data of another kind than these.</p>"
        + "".join(f'<p class="banner">{escape(each)}</p>' for each in figures.get("warnings", [])),
        [
            *(_unit(name, unit, figures) for name, unit in reversed(figures["units"].items())),
            tables.sets_section(figures),
            tables.drop_section(figures),
            _calibration(figures),
            tables.agreement_section(figures),
            _errors(figures, pictures),
            _notes(figures),
            provenance_section(figures),
        ],
    )
    return folder / REPORT


def _unit(name: str, unit: dict[str, Any], figures: dict[str, Any]) -> str:
    """Write the section of images or of studies."""
    table = unit["all"]
    overall = table["overall"]
    tiles = "".join(
        f'<div class="tile"><span>{NAMES[key]}</span><b>{value(overall[key])}</b>'
        f"<span>{span(overall[key])}</span></div>"
        for key in _TILES
    )
    counted = f"{table['cases']} {name if table['cases'] == 1 else tables.plural(name)}"
    return (
        f'<section id="{name}"><h2>By {name}</h2>'
        f'<p class="soft">{counted} of {table["patients"]} patients. '
        f"{escape(describe_threshold(figures))}</p>"
        f'<div class="tiles">{tiles}</div>'
        f"{_list(table['undefined'])}"
        f'<p class="how">{escape(tables.how_averaged(figures))} Below each figure its 95 % '
        f"interval from {figures['settings']['resamples']} draws of patients with replacement.</p>"
        f"{tables.baselines(unit)}"
        f"{tables.classes(unit, figures)}"
        f"<h3>Confusion</h3>{_confusion(unit, figures)}"
        f"{_curves(unit, figures)}"
        f"{tables.subgroups(unit)}</section>"
    )


def _list(lines: list[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _confusion(unit: dict[str, Any], figures: dict[str, Any]) -> str:
    found = unit["confusion"]
    if isinstance(found, list):
        return f"<figure>{plots.confusion(found, figures['question']['classes'])}</figure>"
    drawn = [
        f"<figure>{plots.confusion(table, [f'no {name}', name])}</figure>"
        for name, table in found.items()
    ]
    return f'<div class="figures">{"".join(drawn)}</div>'


def _curves(unit: dict[str, Any], figures: dict[str, Any]) -> str:
    question, curves = figures["question"], unit["curves"]
    names = question["classes"]
    if question["binary"]:
        names = [n for n, positive in zip(names, question["positive"], strict=True) if positive]
    parts = []
    for name in names[:_CURVED]:
        curve, found = curves[name], unit["all"]["classes"][name]
        positives = unit["all"]["positives"][question["classes"].index(name)]
        drawn = [plots.reliability(curve, name), plots.histogram(curve, name)]
        if curve["roc"]:
            prevalence = positives / unit["all"]["cases"]
            drawn = [
                plots.roc(curve, name),
                plots.precision_recall(curve, name, prevalence),
                *drawn,
            ]
        figured = "".join(f"<figure>{each}</figure>" for each in drawn)
        parts.append(
            f"<h3>{escape(name)}</h3>"
            f'<p class="soft">AUC {value(found["auc"])}, average precision '
            f"{value(found['average_precision'])}, {positives} of {unit['all']['cases']} "
            f'cases.</p><div class="figures">{figured}</div>'
        )
    parts.append(
        '<p class="how">ROC: the band holds 95 % of all draws, the ring is the operating point. '
        "Reliability: larger dots have more cases; on the dashed line a probability of 0.8 "
        "comes true in 80 % of cases. Histogram: cases with the class above, without it below, "
        "each scaled to its own highest bar; the dashed line is the threshold.</p>"
    )
    return "".join(parts)


def _calibration(figures: dict[str, Any]) -> str:
    gain = figures.get("calibration")
    if not gain:
        return ""
    rows = "".join(
        f"<tr><td>{NAMES[key]}</td><td>{cell(gain['before'][key])}</td>"
        f"<td>{cell(gain['after'][key])}</td></tr>"
        for key in ("loss", "calibration_error")
    )
    return (
        "<section><h2>Calibration on validation</h2>"
        f"<p>Temperature {figures['operating_point']['temperature']:g}, fitted on "
        f"{gain['images']} validation images, never on the test.</p>"
        "<table><tr><th></th><th>without temperature</th><th>with temperature</th></tr>"
        f"{rows}</table></section>"
    )


def _errors(figures: dict[str, Any], pictures: dict[str, bytes]) -> str:
    shown = []
    for error in figures["errors"]:
        label = f"{error['true']}, taken for {error['said']}"
        shown.append(
            f"<figure>{image(pictures[error['image']], label)}"
            f"<figcaption><b>{escape(error['true'])}</b> taken for <b>{escape(error['said'])}</b> "
            f"(probability {error['probability']:.3f})<br><code>{escape(error['image'])}</code>"
            "</figcaption></figure>"
        )
    if not shown:
        return "<section><h2>Errors</h2><p>There are no errors among the images.</p></section>"
    return (
        "<section><h2>The most confident errors</h2>"
        '<p class="soft">Left: the input of the network; right: the heat map of the predicted '
        "class. The code below is the key of the image in images.csv.</p>"
        f'<div class="errors">{"".join(shown)}</div></section>'
    )


def _notes(figures: dict[str, Any]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in figures["set"]["notes"])
    noted = f"<h3>Notes on the data</h3><ul>{items}</ul>" if items else ""
    return (
        "<section><h2>How to read this</h2><ul>"
        "<li>Temperature and thresholds were chosen on the validation split. The test split was "
        "used once, after these choices.</li>"
        "<li>Intervals come from drawing patients, not images: images of one patient resemble each "
        "other. An interval of no width means that no draw held an error; with n patients and no "
        "error, the true rate of errors may still be up to about 3 / n.</li>"
        "<li>Small subgroups have wide intervals. Two intervals that overlap say nothing "
        "about a difference.</li></ul>"
        f"{noted}</section>"
    )
