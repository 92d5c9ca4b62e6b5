"""Figures with their intervals as HTML: mappings of ``value``, ``low`` and ``high``."""

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "loss": "loss (nats)",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "average_precision": "average precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "f1": "F1",
    "mcc": "MCC",
    "calibration_error": "calibration error",
}
"""Names for people, by figure."""

LOWER_IS_BETTER = frozenset({"loss", "calibration_error"})

_DASH = "\u2013"


def value(found: Mapping[str, Any], *, sign: bool = False) -> str:
    """Write a figure with three decimals."""
    if found["value"] is None:
        return _DASH
    return f"{found['value']:+.3f}" if sign else f"{found['value']:.3f}"


def span(found: Mapping[str, Any], *, sign: bool = False) -> str:
    """Write the interval of a figure."""
    if found["value"] is None:
        return "not defined"
    if found["low"] is None:
        return "no interval"
    form = "+.3f" if sign else ".3f"
    return f"{found['low']:{form}} {_DASH} {found['high']:{form}}"


def cell(found: Mapping[str, Any], *, sign: bool = False) -> str:
    """Write a figure and below it its interval."""
    return f"{value(found, sign=sign)}<small>{span(found, sign=sign)}</small>"


def table(head: Sequence[str], rows: Sequence[str]) -> str:
    """Write a table; ``head`` and ``rows`` are HTML, a row with its ``<tr>``."""
    cells = "".join(f"<th>{each}</th>" for each in head)
    return f'<div class="wide"><table><tr>{cells}</tr>{"".join(rows)}</table></div>'
