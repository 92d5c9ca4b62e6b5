"""The tables of the report, as HTML."""

from html import escape
from typing import Any

from pacs_ai.pages.figures import LOWER_IS_BETTER, NAMES, cell, table
from training.report import plots

_PER_CLASS = ("auc", "average_precision", "sensitivity", "specificity", "ppv", "npv", "f1", "mcc")
_PER_GROUP = ("auc", "sensitivity", "specificity", "balanced_accuracy", "f1", "calibration_error")
_DRAWN = ("auc", "sensitivity", "specificity")
_COMPARED = ("auc", "accuracy", "balanced_accuracy", "average_precision", "f1", "loss")


def plural(unit: str) -> str:
    """Name several units."""
    return {"image": "images", "study": "studies"}[unit]


def how_averaged(figures: dict[str, Any]) -> str:
    """Describe how the overall figures are averaged."""
    question = figures["question"]
    if question["binary"]:
        return "AUC, sensitivity, specificity and what follows from them are those of the finding."
    rest = (
        "Accuracy, F1 and MCC judge the most probable class; sensitivity and specificity are those "
        "at each class's operating point."
        if question["activation"] == "softmax"
        else "Accuracy counts images of which every class is right."
    )
    return f"AUC and what follows it are means over all classes, each against the rest. {rest}"


_SET_FIGURES = {
    "coverage": "sets that hold the truth",
    "size": "answers in a set",
    "undetermined": "findings undetermined",
    "both": "of these: present and absent are both possible",
    "none": "of these: neither fits",
    "decided": "right among what is decided",
}


def sets_section(figures: dict[str, Any]) -> str:
    """Write the section on the prediction sets, "" if there are none."""
    found = figures.get("prediction_sets")
    if not found:
        return ""
    rows = [
        f"<tr><td>{title}</td><td>{cell(found['figures'][key])}</td></tr>"
        for key, title in _SET_FIGURES.items()
    ]
    rows += [
        f"<tr><td>with {escape(name)}: sets that hold it</td><td>{cell(each)}</td></tr>"
        for name, each in found["classes"].items()
    ]
    what = "classes" if found["answers"] == "classes" else "present, absent, both or none"
    return (
        "<section><h2>Prediction sets</h2>"
        f"<p>At a confidence of {found['confidence']:.0%} each set holds {what}; its limits were "
        f"chosen on validation. Measured on {found['cases']} {plural(found['unit'])}. Where a set "
        "does not hold the answer of the operating point alone, the finding is undetermined.</p>"
        f"{table(['', 'share'], rows)}</section>"
    )


def classes(unit: dict[str, Any], figures: dict[str, Any]) -> str:
    """Write the figures of each class against the rest."""
    names = figures["question"]["classes"]
    cuts = figures["operating_point"]["thresholds"]
    rows = []
    for name, positives, cut in zip(names, unit["all"]["positives"], cuts, strict=True):
        found = unit["all"]["classes"][name]
        cells = "".join(f"<td>{cell(found[key])}</td>" for key in _PER_CLASS)
        rows.append(
            f"<tr><td><b>{escape(name)}</b></td><td>{positives}</td><td>{cut:.4g}</td>{cells}</tr>"
        )
    head = ["class", "cases", "threshold", *(NAMES[key] for key in _PER_CLASS)]
    head = [each.replace("positive predictive value", "PPV") for each in head]
    head = [each.replace("negative predictive value", "NPV") for each in head]
    return f"<h3>By class</h3>{table(head, rows)}"


def baselines(unit: dict[str, Any]) -> str:
    """Write the figures of the baselines, and the difference of the model to them."""
    if not unit["baselines"]:
        return ""
    rows = []
    overall = unit["all"]["overall"]
    for name, found in unit["baselines"].items():
        cells = "".join(f"<td>{cell(found['overall'][key])}</td>" for key in _COMPARED)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        gains = "".join(
            f'<td class="{_verdict(found["advantage"][key], key)}">'
            f"{cell(found['advantage'][key], sign=True)}</td>"
            for key in _COMPARED
        )
        rows.append(f"<tr><td>model less {escape(name)}</td>{gains}</tr>")
    own = "".join(f"<td>{cell(overall[key])}</td>" for key in _COMPARED)
    rows.insert(0, f"<tr><td><b>model</b></td>{own}</tr>")
    return (
        "<h3>Compared with baselines</h3>"
        f"{table(['', *(NAMES[key] for key in _COMPARED)], rows)}"
        '<p class="how"><i>Prevalence</i> always predicts the shares of the classes in the '
        "training split; <i>brightness</i> is a logistic regression on mean, spread and highlights "
        "of the image. Coloured: the interval of the difference leaves out 0.</p>"
    )


def _verdict(difference: dict[str, Any], key: str) -> str:
    """Tell whether the interval of a difference leaves out 0, and in which direction."""
    if (
        difference["value"] is None
        or difference["low"] is None
        or difference["low"] <= 0 <= difference["high"]
    ):
        return ""
    return "better" if (difference["value"] > 0) != (key in LOWER_IS_BETTER) else "worse"


def subgroups(unit: dict[str, Any]) -> str:
    """Write the figures of each subgroup, and draw the main ones as forest plots."""
    parts = []
    for kind, groups in unit["subgroups"].items():
        rows = []
        for name, found in groups.items():
            cells = "".join(f"<td>{cell(found['overall'][key])}</td>" for key in _PER_GROUP)
            rows.append(
                f"<tr><td><b>{escape(name)}</b></td><td>{found['cases']}</td>"
                f"<td>{found['patients']}</td>{cells}</tr>"
            )
        head = [escape(kind), "cases", "patients", *(NAMES[key] for key in _PER_GROUP)]
        drawn = "".join(_forest(kind, groups, unit, key) for key in _DRAWN)
        parts.append(
            f'<h3>By {escape(kind)}</h3>{table(head, rows)}<div class="figures">{drawn}</div>'
        )
    return "".join(parts)


def _forest(kind: str, groups: dict[str, Any], unit: dict[str, Any], key: str) -> str:
    rows = [(name, table["overall"][key]) for name, table in groups.items()]
    drawn = plots.forest(rows, unit["all"]["overall"][key]["value"])
    said = f"{NAMES[key]} by {escape(kind)}; dashed: all cases"
    return f"<figure>{drawn}<figcaption>{said}</figcaption></figure>"


def drop_section(figures: dict[str, Any]) -> str:
    """Write the differences to the figures on the test split of the run."""
    if not figures.get("drop"):
        return ""
    parts = []
    for unit, found in figures["drop"].items():
        rows = [
            f"<tr><td>{NAMES[key]}</td><td>{cell(each['internal'])}</td>"
            f"<td>{cell(each['external'])}</td>"
            f'<td class="{_verdict(each["difference"], key)}">'
            f"{cell(each['difference'], sign=True)}</td></tr>"
            for key, each in found.items()
        ]
        parts.append(f"<h3>By {unit}</h3>{table(['', 'internal', 'here', 'difference'], rows)}")
    return (
        "<section><h2>Compared with the internal test</h2>"
        '<p class="soft">The same model, temperature and thresholds. Both sets are drawn '
        "independently; coloured: the interval of the difference leaves out 0.</p>"
        f"{''.join(parts)}</section>"
    )


def agreement_section(figures: dict[str, Any]) -> str:
    """Write the agreement of the annotators, and of the model with them."""
    found = figures.get("agreement")
    if not found:
        return ""
    kind = "Cohen's" if found["raters"] == 2 else "Fleiss'"  # noqa: PLR2004
    rows = [f"<tr><td>annotators ({kind} kappa)</td><td>{cell(found['annotators'])}</td></tr>"]
    rows += [
        f"<tr><td>model and annotator {index}</td><td>{cell(each)}</td></tr>"
        for index, each in enumerate(found["model"], start=1)
    ]
    return (
        "<section><h2>Agreement of the annotators</h2>"
        f'<p class="soft">{found["images"]} images with the votes of at least two of '
        f"{found['raters']} annotators. Kappa is 1 for full agreement, 0 for that of chance.</p>"
        f"{table(['', 'kappa'], rows)}</section>"
    )
