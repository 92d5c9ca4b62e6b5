"""Evaluate a run on other data, and compare with its own test split."""

from pathlib import Path

import keras

from pacs_ai.errors import DataError
from training.data.samples import Dataset
from training.evaluate.cases import Scores
from training.evaluate.internal import TEST_SCORES
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import (
    EvaluationResult,
    calibration_of,
    headline,
    publish,
    question_of,
)
from training.evaluate.results import cases_of, drop, evaluate_scores, units_of
from training.evaluate.score import score
from training.evaluate.set_figures import set_figures
from training.recipe.recipe import Recipe
from training.run.run import Run


def evaluate_other(
    run: Run,
    recipe: Recipe,
    other: Dataset,
    network: keras.Model,
    name: str,
    *,
    folder: Path | None = None,
) -> EvaluationResult:
    """Evaluate a trained network on other data, with its own temperature and thresholds.

    Parameters
    ----------
    run
        It must be evaluated on its own test split already. It gets ``evaluation/NAME/`` with
        ``figures.json`` and ``report.html``.
    recipe
        The recipe of the run.
    other
        The other data, all in the test split. Images with an uncertain label are left out.
    network
        The trained network.
    name
        The name of the other data.
    folder
        Where the files are written instead.

    Raises
    ------
    DataError
        If the run is not evaluated yet, or there are no samples.
    """
    other = other.certain()
    samples = other.test
    if not samples:
        raise DataError(
            f"{name} holds no sample with certain labels of the classes that the model knows"
        )
    calibration = calibration_of(run)
    internal, question = Scores.load(run.evaluation / TEST_SCORES), question_of(recipe)
    classifier = TrainedNetwork(network)
    run.log(f"running the network on {len(samples)} images: {name}")
    scores = score(classifier, samples, recipe, studies=other.studies)
    folder = folder or run.evaluation / name
    folder.mkdir(exist_ok=True)
    scores.save(folder / TEST_SCORES)
    both = [unit for unit in units_of(internal) if unit in units_of(scores)]
    figures = headline(recipe, calibration, scores, f"external test: {name}", other.notes)
    figures |= run.provenance("evaluate").to_dict() | {
        "drop": {
            unit: drop(
                cases_of(unit, internal, question, calibration),
                cases_of(unit, scores, question, calibration),
                recipe.evaluation,
            )
            for unit in both
        },
        "prediction_sets": set_figures(scores, question, calibration, recipe.evaluation),
        **evaluate_scores(scores, question, calibration, recipe.evaluation, {}),
    }
    publish(folder, figures, scores, samples, classifier, recipe, calibration=calibration)
    return EvaluationResult(figures, calibration)
