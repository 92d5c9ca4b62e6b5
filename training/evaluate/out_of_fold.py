"""Evaluate the folds of a cross-validation together, on their out-of-fold predictions."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import keras
import numpy as np

from pacs_ai.files import atomic_write
from training.data.samples import Sample
from training.evaluate.baseline_file import BASELINES, load_baselines
from training.evaluate.cases import Scores
from training.evaluate.internal import TEST_SCORES
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import (
    CALIBRATION,
    FIGURES,
    EvaluationResult,
    as_json,
    calibration_of,
    headline,
    publish,
    question_of,
)
from training.evaluate.results import Baseline, evaluate_scores
from training.evaluate.set_figures import mean_sets, set_figures
from training.recipe.recipe import Recipe
from training.run.run import Run
from training.statistics.calibration import Calibration

_DIGITS = 6
_NO_VOTE = -1


@dataclass(frozen=True, slots=True)
class FoldResult:
    """The test split of a fold, its scores, the calibration of its network, and its warnings.

    ``baselines`` are those that were fitted on its training split.
    """

    samples: tuple[Sample, ...]
    scores: Scores
    calibration: Calibration
    warnings: tuple[str, ...] = ()
    baselines: Mapping[str, Baseline] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, samples: tuple[Sample, ...]) -> Self:
        """Read the result of the run of a fold.

        Raises
        ------
        DataError
            If the run is not evaluated, or was by a version that kept no baselines.
        """
        scores, calibration = Scores.load(run.evaluation / TEST_SCORES), calibration_of(run)
        figures = json.loads((run.evaluation / FIGURES).read_text(encoding="utf-8"))
        warned = tuple(f"{run.folder.name}: {each}" for each in figures["warnings"])
        baselines = load_baselines(run.evaluation / BASELINES)
        return cls(samples, scores, calibration, warned, baselines)


def evaluate_out_of_fold(
    run: Run, folds: Sequence[FoldResult], network: keras.Model
) -> EvaluationResult:
    """Evaluate the predictions of all folds as one set.

    Each logit is divided by the temperature of its network, which comes from the validation split
    of the fold. The threshold of a class is the mean of the thresholds of the folds; the ensemble
    is exported with it.

    Parameters
    ----------
    run
        The run of all folds. It gets ``evaluation/`` with ``test_scores.npz``,
        ``calibration.json``, ``figures.json`` and ``report.html``.
    folds
        The results of the folds.
    network
        The ensemble.
    """
    recipe, question = _without_errors(run.recipe), question_of(run.recipe)
    scores, calibration = pool(folds), mean_calibration([fold.calibration for fold in folds])
    scores.save(run.evaluation / TEST_SCORES)
    notes = [
        f"Cross-validation with {len(folds)} folds: each image is predicted by the network that "
        "did not see it in training. The exported ensemble of all networks is not measured here."
    ]
    made_from = run.provenance("evaluate").to_dict()
    figures = headline(recipe, calibration, scores, "out-of-fold predictions", notes) | made_from
    figures |= {
        "warnings": [warning for fold in folds for warning in fold.warnings],
        "prediction_sets": set_figures(scores, question, calibration, recipe.evaluation),
        **evaluate_scores(scores, question, calibration, recipe.evaluation, pool_baselines(folds)),
    }
    samples = [sample for fold in folds for sample in fold.samples]
    classifier = TrainedNetwork(network)
    publish(run.evaluation, figures, scores, samples, classifier, recipe, calibration=calibration)
    atomic_write(run.evaluation / CALIBRATION, as_json(calibration.to_dict() | made_from))
    return EvaluationResult(figures, calibration)


def pool_baselines(folds: Sequence[FoldResult]) -> dict[str, Baseline]:
    """Join the baselines of all folds, each fitted without the images that it is judged by."""
    found = {}
    for name in folds[0].baselines:
        parts = [
            replace(
                fold,
                scores=replace(fold.scores, logits=fold.baselines[name].logits),
                calibration=fold.baselines[name].calibration,
            )
            for fold in folds
        ]
        calibration = mean_calibration([part.calibration for part in parts])
        found[name] = Baseline(pool(parts).logits, calibration)
    return found


def _without_errors(recipe: Recipe) -> Recipe:
    """Leave out pictures of the worst errors: the maps of the ensemble would not be out-of-fold."""
    section = recipe.evaluation.model_copy(update={"worst": 0})
    return recipe.model_copy(update={"evaluation": section})


def mean_calibration(parts: Sequence[Calibration]) -> Calibration:
    """Return the mean threshold and limits of each class; the logits are calibrated already."""
    means = np.mean([part.thresholds for part in parts], axis=0)
    thresholds = tuple(round(float(value), _DIGITS) for value in means)
    return Calibration(1.0, thresholds, mean_sets([part.sets for part in parts]))


def pool(folds: Sequence[FoldResult]) -> Scores:
    """Join the scores of all folds, with calibrated logits; images without a label come last."""
    parts = [
        replace(fold.scores, logits=fold.scores.logits / fold.calibration.temperature)
        for fold in folds
    ]
    kinds = sorted({kind for part in parts for kind in part.groups})
    raters = max(part.votes.shape[1] for part in parts)
    labelled = [range(part.labelled) for part in parts]
    added = [range(part.labelled, len(part.images)) for part in parts]
    order = [*zip(parts, labelled, strict=True), *zip(parts, added, strict=True)]

    def joined(values: Callable[[Scores], np.ndarray]) -> np.ndarray:
        return np.concatenate([values(part)[list(chosen)] for part, chosen in order])

    def names(values: Callable[[Scores], Sequence[str]]) -> tuple[str, ...]:
        return tuple(values(part)[index] for part, chosen in order for index in chosen)

    given = [part.places for part in parts if part.places is not None]
    return Scores(
        images=names(lambda part: part.images),
        patients=names(lambda part: part.patients),
        units=names(lambda part: part.units),
        logits=joined(lambda part: part.logits),
        truth=joined(lambda part: part.truth),
        groups={kind: names(partial(_group, kind)) for kind in kinds},
        votes=joined(lambda part: _padded(part, raters)),
        places=joined(lambda part: np.asarray(part.places)) if len(given) == len(parts) else None,
        added=sum(part.added for part in parts),
    )


def _group(kind: str, part: Scores) -> tuple[str, ...]:
    return part.groups.get(kind, ("",) * len(part.images))


def _padded(part: Scores, raters: int) -> np.ndarray:
    missing = raters - part.votes.shape[1]
    return np.pad(part.votes, ((0, 0), (0, missing)), constant_values=_NO_VOTE)
