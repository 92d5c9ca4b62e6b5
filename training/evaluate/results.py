"""From scores to all results of an evaluation: the content of ``figures.json``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace

import numpy as np

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import interval
from pacs_ai.statistics.cases import Cases, Question
from pacs_ai.statistics.curves import all_curves
from pacs_ai.statistics.figures import HEADLINE, OVERALL, Table, draw_figures, subgroups, tabulate
from pacs_ai.statistics.metrics import Floats
from training.evaluate.agreement import agreement
from training.evaluate.cases import Scores, by_image, by_study
from training.recipe.evaluation import Evaluation
from training.statistics.calibration import Calibration

FORMAT = 1
IMAGE, STUDY = "image", "study"
_DIGITS = 6
_OTHER_SEED = 96

COMPARED = ("accuracy", "balanced_accuracy", "auc", "average_precision", "f1", "loss")
"""The figures that compare a model with a baseline."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline: its logits on the images of a split, shape (n, classes), and its calibration."""

    logits: Floats
    calibration: Calibration


def units_of(scores: Scores) -> tuple[str, ...]:
    """List the units to evaluate: images, and studies where they are not the same.

    They differ if a study has several images, or one that the node does not show to the model.
    """
    studies = len(set(scores.units))
    same = studies == len(scores.units) and not scores.unanswered
    return (IMAGE,) if same or scores.unanswered == studies else (IMAGE, STUDY)


def cases_of(unit: str, scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Make the cases of a unit: images or studies."""
    make = by_image if unit == IMAGE else by_study
    return make(scores, question, calibration)


def evaluate_scores(
    scores: Scores,
    question: Question,
    calibration: Calibration,
    config: Evaluation,
    baselines: Mapping[str, Baseline],
) -> dict[str, object]:
    """Evaluate a model on one set of images.

    Parameters
    ----------
    scores
        The logits and labels.
    question
        The classification task.
    calibration
        Temperature and thresholds, chosen on the validation split.
    config
        The section ``[evaluation]`` of the recipe.
    baselines
        Baselines by name, for the same images.

    Returns
    -------
    dict
        Values for JSON: for each unit (``image``, ``study``) the figures overall, by class and by
        subgroup, the confusion matrix, curves and baselines; and the agreement of annotators.
    """
    units = {}
    for unit in units_of(scores):
        others = {
            name: cases_of(unit, replace(scores, logits=each.logits), question, each.calibration)
            for name, each in baselines.items()
        }
        units[unit] = _evaluate_unit(cases_of(unit, scores, question, calibration), others, config)
    images = by_image(scores, question, calibration)
    return {"units": units, "agreement": jsonable(agreement(scores, images, config.resamples))}


def _evaluate_unit(
    cases: Cases, baselines: Mapping[str, Cases], config: Evaluation
) -> dict[str, object]:
    """Evaluate the images or the studies, and compare them with those of the baselines."""
    drawn = draw_figures(cases, config)
    return {
        "all": jsonable(tabulate(cases, drawn)),
        "confusion": _confusion(cases),
        "subgroups": {
            kind: {value: jsonable(table) for value, table in tables.items()}
            for kind, tables in subgroups(cases, config).items()
        },
        "curves": jsonable(all_curves(cases, config.bins)),
        "baselines": {
            name: _compare(drawn, baseline, config) for name, baseline in baselines.items()
        },
    }


def _confusion(cases: Cases) -> list[list[int]] | dict[str, list[list[int]]]:
    """Count cases by true and by predicted class; for sigmoid, one table for each class."""
    once, names = np.ones((1, len(cases.keys))), cases.question.classes
    if cases.question.activation == "softmax":
        return _counted(metrics.confusion(cases.true_classes, cases.predicted, len(names), once))
    pairs = zip(names, cases.truth.T.astype(int), cases.decisions.T.astype(int), strict=True)
    return {name: _counted(metrics.confusion(true, said, 2, once)) for name, true, said in pairs}


def _counted(table: Floats) -> list[list[int]]:
    return [[int(count) for count in row] for row in table[0]]


def _compare(drawn: Mapping[str, Floats], baseline: Cases, config: Evaluation) -> dict[str, object]:
    """Evaluate a baseline, and the difference of the model to it, draw by draw."""
    theirs = draw_figures(baseline, config)
    table: Table = tabulate(baseline, theirs)
    keys = {name: f"{OVERALL}/{name}" for name in COMPARED}
    return {
        "overall": jsonable(table.overall),
        "advantage": {
            name: jsonable(interval(drawn[key] - theirs[key])) for name, key in keys.items()
        },
    }


def drop(internal: Cases, external: Cases, config: Evaluation) -> dict[str, dict[str, object]]:
    """Measure the difference of a model between two sets of data.

    Parameters
    ----------
    internal, external
        Cases of the model's own test split, and of other data.
    config
        The number of draws.

    Returns
    -------
    dict
        For each overall figure ``internal``, ``external`` and ``difference``: external minus
        internal. The two sets are drawn independently of each other.
    """
    here, there = draw_figures(internal, config), draw_figures(external, config, _OTHER_SEED)
    return {
        name: {
            "internal": jsonable(interval(here[key])),
            "external": jsonable(interval(there[key])),
            "difference": jsonable(interval(there[key] - here[key])),
        }
        for name, key in ((name, f"{OVERALL}/{name}") for name in HEADLINE)
    }


def jsonable(value: object) -> object:
    """Convert figures to values for JSON: rounded to six digits, None for not a number."""
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value
