"""Figures of the prediction sets: how often they hold the truth, and how much they leave open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import intervals
from pacs_ai.statistics.cases import Cases, Question
from pacs_ai.statistics.metrics import Floats
from training.evaluate.cases import Scores, rule_of
from training.evaluate.results import IMAGE, cases_of, jsonable, units_of
from training.recipe.evaluation import Evaluation
from training.statistics.calibration import Calibration
from training.statistics.conformal import fit_sets


def choose_sets(
    validation: Scores, question: Question, calibration: Calibration, config: Evaluation
) -> PredictionSets | None:
    """Choose the limits on the unit that the node reports: studies, where they are not images.

    One class of a case is true for softmax, unless a study can have several findings.
    """
    unit = units_of(validation)[-1]
    cases = cases_of(unit, validation, question, calibration)
    exclusive = question.activation == "softmax" and (
        unit == IMAGE or not rule_of(question).separate
    )
    return fit_sets(cases.probabilities, cases.truth, config.confidence, exclusive=exclusive)


def set_figures(
    scores: Scores, question: Question, calibration: Calibration, config: Evaluation
) -> dict[str, object] | None:
    """Measure the prediction sets of a calibration on the unit that the node reports.

    Returns
    -------
    dict or None
        Values for JSON: ``coverage`` (share of true answers that are in their set; of the true
        class for sets of classes, else the mean over the findings), ``size`` (mean number of
        answers in a set), ``undetermined`` (share of decisions on findings that are left open),
        ``both`` and ``none`` (share of them whose set holds both answers, or none), ``decided``
        (share of right decisions among the others), each with its interval, and the ``coverage`` of
        each class among the cases that have it. None if there are no sets.
    """
    sets, unit = calibration.sets, units_of(scores)[-1]
    if sets is None:
        return None
    cases = cases_of(unit, scores, question, calibration)
    measured = _measured(cases, sets)

    def measure(weights: Floats) -> Mapping[str, Floats]:
        return {
            name: metrics.divide(weights @ part, weights @ whole)
            for name, (part, whole) in measured.items()
        }

    found = intervals(measure, cases.patients, config.resamples)
    return {
        "unit": unit,
        "cases": len(cases.keys),
        "confidence": sets.confidence,
        "answers": sets.answers,
        "figures": {name: jsonable(found[name]) for name in measured if not name.startswith(_OF)},
        "classes": {
            name.removeprefix(_OF): jsonable(found[name])
            for name in measured
            if name.startswith(_OF)
        },
    }


def mean_sets(parts: Sequence[PredictionSets | None]) -> PredictionSets | None:
    """Return the mean limits of several networks; None if one has none, or of other answers."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.answers for part in known}) > 1:
        return None
    lowest, highest = (
        tuple(float(limit) for limit in np.mean(limits, axis=0))
        for limits in ([part.lowest for part in known], [part.highest for part in known])
    )
    return replace(known[0], lowest=lowest, highest=highest)


_OF = "class "


def _measured(cases: Cases, sets: PredictionSets) -> dict[str, tuple[Floats, Floats]]:
    """Return for each figure its numerator and denominator, each of shape (n,)."""
    chances, truth, names = cases.probabilities, cases.truth, cases.question.classes
    held = np.array([[sets.holds(k, row) for k in range(len(names))] for row in chances])
    present, absent = held[..., 0], held[..., 1]
    asked = cases.question.findings
    right = np.where(truth, present, absent)[:, asked]
    of_classes = sets.answers == "classes"
    covered = (truth & present) if of_classes else right
    size = present if of_classes else (present.astype(int) + absent)[:, asked]
    said = cases.decisions[:, asked]
    single = (present != absent)[:, asked] & (present[:, asked] == said)
    both, none = (present & absent)[:, asked], ~(present | absent)[:, asked]
    once = np.ones(len(chances))
    answers = once * (1 if of_classes else len(asked))
    decisions = once * len(asked)
    return {
        "coverage": (covered.sum(axis=1), truth.sum(axis=1) if of_classes else answers),
        "size": (size.sum(axis=1), answers),
        "undetermined": ((~single).sum(axis=1), decisions),
        "both": (both.sum(axis=1), decisions),
        "none": (none.sum(axis=1), decisions),
        "decided": ((single & (said == truth[:, asked])).sum(axis=1), single.sum(axis=1)),
        **{
            f"{_OF}{name}": (t & p, t) for name, t, p in zip(names, truth.T, present.T, strict=True)
        },
    }
