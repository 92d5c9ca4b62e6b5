"""The metrics (figures) of a set of cases: overall, by class and by subgroup, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import SEED, Interval, bootstrap, interval
from pacs_ai.statistics.cases import Cases
from pacs_ai.statistics.metrics import Floats

HEADLINE = (
    "loss",
    "accuracy",
    "balanced_accuracy",
    "auc",
    "average_precision",
    "sensitivity",
    "specificity",
    "f1",
    "mcc",
    "calibration_error",
)
"""The overall figures. In a binary task they are those of the finding. With more classes, AUC and
the following ones are means over the classes, except ``mcc`` (Gorodkin, 2004)."""

PER_CLASS = (
    "auc",
    "average_precision",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "mcc",
    "calibration_error",
)
"""The figures of a class against the rest. Sensitivity, specificity and predictive values are those
at the operating point; F1 and MCC are those of the predicted class."""

OVERALL = "overall"


class Settings(Protocol):
    """What figures are computed with.

    ``resamples`` is the number of bootstrap draws of patients, ``bins`` the number of bins of the
    calibration error. Each subgroup in ``subgroups`` with at least ``smallest_group`` patients gets
    its own figures.
    """

    @property
    def resamples(self) -> int:
        """Number of draws."""

    @property
    def bins(self) -> int:
        """Number of bins."""

    @property
    def subgroups(self) -> tuple[str, ...]:
        """Names of `Cases.groups`."""

    @property
    def smallest_group(self) -> int:
        """Number of patients."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of some cases, ``overall`` and of each class, with the numbers of cases.

    ``undefined`` says of which classes or intervals there are no figures, and why.
    """

    cases: int
    patients: int
    positives: tuple[int, ...]
    overall: dict[str, Interval]
    classes: dict[str, dict[str, Interval]]
    undefined: tuple[str, ...] = ()


def measure(cases: Cases, bins: int, weights: Floats) -> dict[str, Floats]:
    """Compute all figures for each draw.

    Parameters
    ----------
    cases
        n cases.
    bins
        Number of bins of the calibration error.
    weights
        How often each case was drawn, shape (draws, n).

    Returns
    -------
    dict
        ``overall/NAME`` for each name of `HEADLINE`, ``CLASS/NAME`` for each of `PER_CLASS`, with
        the class's index; each of shape (draws,).
    """
    question = cases.question
    each = [_class_figures(cases, k, bins, weights) for k in range(len(question.classes))]
    overall = {"loss": metrics.mean(cases.loss, weights)}
    for name in PER_CLASS:
        stacked = np.stack([each[k][name] for k in averaged(cases)])
        overall[name] = stacked.mean(axis=0)
    overall["balanced_accuracy"] = (overall["sensitivity"] + overall["specificity"]) / 2
    if question.activation == "softmax":
        overall |= _exclusive(cases, bins, weights, each)
    else:
        correct = (cases.decisions == cases.truth).all(axis=1)
        overall["accuracy"] = metrics.mean(correct.astype(float), weights)
    found = {f"{OVERALL}/{name}": overall[name] for name in HEADLINE}
    for k, figures in enumerate(each):
        found |= {f"{k}/{name}": values for name, values in figures.items()}
    return found


def averaged(cases: Cases) -> list[int]:
    """List the classes that overall figures average: those that some cases have and others lack."""
    headline = cases.question.headline
    present = [k for k in headline if cases.truth[:, k].any()]
    both = [k for k in present if not cases.truth[:, k].all()]
    return both or present or headline


def undefined(cases: Cases) -> tuple[str, ...]:
    """Say which figures are left out, and why."""
    names, reasons = cases.question.classes, []
    for name, true in zip(names, cases.truth.T, strict=True):
        if not true.any():
            reasons.append(f"{name}: no case has it, so averages go over the other classes")
        elif true.all():
            reasons.append(f"{name}: all cases have it, so its AUC and specificity are not defined")
    if len(set(cases.patients)) == 1:
        reasons.append("one patient only, so there are no intervals")
    return tuple(reasons)


def _class_figures(cases: Cases, k: int, bins: int, weights: Floats) -> dict[str, Floats]:
    probabilities, truth = cases.probabilities[:, k], cases.truth[:, k]
    decided = metrics.confusion(truth.astype(int), cases.decisions[:, k].astype(int), 2, weights)
    found = metrics.rates(decided)
    found["auc"] = metrics.auc(probabilities, truth, weights)
    found["average_precision"] = metrics.average_precision(probabilities, truth, weights)
    found["calibration_error"] = metrics.calibration_error(probabilities, truth, bins, weights)
    if not truth.any():  # of a class that no case has, a share of 0 would look measured
        found["f1"] = np.full(len(weights), np.nan)
    return found


def _exclusive(
    cases: Cases, bins: int, weights: Floats, each: list[dict[str, Floats]]
) -> dict[str, Floats]:
    """Compute the figures for softmax; also adds F1 and MCC to those of each class."""
    k = len(cases.question.classes)
    table = metrics.confusion(cases.true_classes, cases.predicted, k, weights)
    pairs = metrics.one_against_rest(table)
    for index, figures in enumerate(each):
        taken = metrics.rates(pairs[:, index])
        figures["mcc"] = taken["mcc"]
        figures["f1"] = taken["f1"] if cases.truth[:, index].any() else figures["f1"]
    present = np.unique(cases.true_classes)
    recall = metrics.divide(np.diagonal(table, axis1=1, axis2=2), table.sum(axis=2))[:, present]
    highest = cases.probabilities.max(axis=1)
    right = cases.probabilities.argmax(axis=1) == cases.true_classes
    found = {
        "accuracy": metrics.mean((cases.predicted == cases.true_classes).astype(float), weights),
        "balanced_accuracy": recall.mean(axis=1),
        "mcc": metrics.correlation(table),
        "f1": np.stack([each[i]["f1"] for i in averaged(cases)]).mean(axis=0),
    }
    if not cases.question.binary:
        found["calibration_error"] = metrics.calibration_error(highest, right, bins, weights)
    return found


def draw_figures(cases: Cases, settings: Settings, seed: int = SEED) -> dict[str, Floats]:
    """Compute all figures of some cases, and of bootstrap draws of their patients."""
    return bootstrap(
        lambda weights: measure(cases, settings.bins, weights),
        cases.patients,
        settings.resamples,
        seed,
    )


def tabulate(cases: Cases, drawn: Mapping[str, Floats]) -> Table:
    """Summarise the result of `draw_figures` as a table of values with intervals."""
    found = {name: interval(values) for name, values in drawn.items()}
    if len(set(cases.patients)) == 1:  # all draws are the same: no width is no certainty
        nan = float("nan")
        found = {name: replace(each, low=nan, high=nan) for name, each in found.items()}

    def under(prefix: str) -> dict[str, Interval]:
        start = f"{prefix}/"
        return {
            name.removeprefix(start): value
            for name, value in found.items()
            if name.startswith(start)
        }

    names = cases.question.classes
    return Table(
        cases=len(cases.keys),
        patients=len(set(cases.patients)),
        positives=tuple(int(n) for n in cases.truth.sum(axis=0)),
        overall=under(OVERALL),
        classes={name: under(str(k)) for k, name in enumerate(names)},
        undefined=undefined(cases),
    )


def _order(name: str) -> tuple[bool, str]:
    """Sort a group such as "<40" before the others."""
    return not name.startswith("<"), name


def subgroups(cases: Cases, settings: Settings) -> dict[str, dict[str, Table]]:
    """Compute the figures of each subgroup that has enough patients.

    Returns
    -------
    dict
        For each kind of subgroup, its values and their figures. A kind with only one value is
        left out.
    """
    found: dict[str, dict[str, Table]] = {}
    for kind in settings.subgroups:
        values = np.array(cases.groups.get(kind, ()))
        names = sorted(set(values.tolist()) - {""}, key=_order)
        if len(names) < 2:  # noqa: PLR2004 - nothing to compare
            continue
        parts = {name: cases.pick(np.flatnonzero(values == name)) for name in names}
        found[kind] = {
            name: tabulate(part, draw_figures(part, settings))
            for name, part in parts.items()
            if len(set(part.patients)) >= settings.smallest_group
        }
    return {kind: tables for kind, tables in found.items() if tables}
