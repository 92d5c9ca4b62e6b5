"""From scores to everything that is said of a model: the content of ``figures.json``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace

import numpy as np

from training.evaluate.agreement import agreement
from training.evaluate.cases import Cases, Question, Scores, by_image, by_study
from training.evaluate.curves import all_curves
from training.evaluate.figures import HEADLINE, OVERALL, Table, draw_figures, subgroups, tabulate
from training.recipe.judging import Evaluation
from training.statistics import metrics
from training.statistics.bootstrap import interval
from training.statistics.calibration import Calibration
from training.statistics.metrics import Floats

FORMAT = 1
IMAGE, STUDY = "image", "study"
_DIGITS = 6
_OTHER_SEED = 96

COMPARED = ("accuracy", "balanced_accuracy", "auc", "average_precision", "f1", "loss")
"""What a model is held against a baseline by."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A baseline's logits on the images of a split, and the calibration it was given."""

    logits: Floats
    calibration: Calibration


def units_of(scores: Scores) -> tuple[str, ...]:
    """Say what is judged: images, and studies where some have several images."""
    return (IMAGE, STUDY) if len(set(scores.units)) < len(scores.units) else (IMAGE,)


def cases_of(unit: str, scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Take images or studies as cases."""
    images = by_image(scores, question, calibration)
    return images if unit == IMAGE else by_study(images, scores.units)


def judge(
    scores: Scores,
    question: Question,
    calibration: Calibration,
    config: Evaluation,
    rivals: Mapping[str, Rival],
) -> dict[str, object]:
    """Judge a model on one set of images.

    Parameters
    ----------
    scores
        What the network said.
    question
        What was asked.
    calibration
        Chosen elsewhere: on the validation split.
    config
        The recipe's wishes.
    rivals
        Baselines by name, on the same images.

    Returns
    -------
    dict
        Plain values, as for JSON: for each unit (``image``, ``study``) figures overall, by class
        and subgroup, the confusion matrix, curves and baselines; and how the labels' annotators
        agree.
    """
    units = {
        unit: _judge_unit(unit, scores, question, calibration, config, rivals)
        for unit in units_of(scores)
    }
    images = by_image(scores, question, calibration)
    return {"units": units, "agreement": plain(agreement(scores, images, config.resamples))}


def _judge_unit(
    unit: str,
    scores: Scores,
    question: Question,
    calibration: Calibration,
    config: Evaluation,
    rivals: Mapping[str, Rival],
) -> dict[str, object]:
    cases = cases_of(unit, scores, question, calibration)
    drawn = draw_figures(cases, config)
    return {
        "all": plain(tabulate(cases, drawn)),
        "confusion": _confusion(cases),
        "subgroups": {
            kind: {value: plain(table) for value, table in tables.items()}
            for kind, tables in subgroups(cases, config).items()
        },
        "curves": plain(all_curves(cases, config.bins)),
        "baselines": {
            name: _compare(unit, drawn, scores, question, rival, config)
            for name, rival in rivals.items()
        },
    }


def _confusion(cases: Cases) -> list[list[int]] | dict[str, list[list[int]]]:
    """Count cases by true and by given class; for each class by itself where several can hold."""
    once, names = np.ones((1, len(cases.keys))), cases.question.classes
    if cases.question.activation == "softmax":
        return _counted(metrics.confusion(cases.true, cases.said, len(names), once))
    pairs = zip(names, cases.truth.T.astype(int), cases.present.T.astype(int), strict=True)
    return {name: _counted(metrics.confusion(true, said, 2, once)) for name, true, said in pairs}


def _counted(table: Floats) -> list[list[int]]:
    return [[int(count) for count in row] for row in table[0]]


def _compare(
    unit: str,
    drawn: Mapping[str, Floats],
    scores: Scores,
    question: Question,
    rival: Rival,
    config: Evaluation,
) -> dict[str, object]:
    """Judge a baseline, and by how much the model is better, draw by draw."""
    cases = cases_of(unit, replace(scores, logits=rival.logits), question, rival.calibration)
    theirs = draw_figures(cases, config)
    table: Table = tabulate(cases, theirs)
    keys = {name: f"{OVERALL}/{name}" for name in COMPARED}
    return {
        "overall": plain(table.overall),
        "advantage": {
            name: plain(interval(drawn[key] - theirs[key])) for name, key in keys.items()
        },
    }


def drop(internal: Cases, external: Cases, config: Evaluation) -> dict[str, dict[str, object]]:
    """Measure how much worse (or better) a model is elsewhere.

    Parameters
    ----------
    internal, external
        Cases of the model's own test split, and of other data.
    config
        How many draws.

    Returns
    -------
    dict
        For each overall figure ``internal`` and ``external``, and ``difference``, the second less
        the first; the two sets are drawn independently of each other.
    """
    here, there = draw_figures(internal, config), draw_figures(external, config, _OTHER_SEED)
    return {
        name: {
            "internal": plain(interval(here[key])),
            "external": plain(interval(there[key])),
            "difference": plain(interval(there[key] - here[key])),
        }
        for name, key in ((name, f"{OVERALL}/{name}") for name in HEADLINE)
    }


def plain(value: object) -> object:
    """Turn figures into what JSON can hold: rounded to six digits, None for not a number."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value
