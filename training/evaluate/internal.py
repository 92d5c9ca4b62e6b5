"""Evaluate a run on its own test split, calibrated on its validation split."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from pacs_ai.statistics.metrics import Floats
from training.data.read import Images, load_images
from training.data.samples import Dataset, Sample
from training.evaluate.against_baselines import warnings
from training.evaluate.baseline import BrightnessModel, measure_brightness, prevalence_logits
from training.evaluate.baseline_file import BASELINES, save_baselines
from training.evaluate.cases import Scores
from training.evaluate.network import TrainedNetwork
from training.evaluate.operating import calibrate, calibration_gain
from training.evaluate.publish import (
    CALIBRATION,
    EvaluationResult,
    as_json,
    headline,
    publish,
    question_of,
)
from training.evaluate.results import Baseline, evaluate_scores
from training.evaluate.score import make_scores, score
from training.evaluate.set_figures import choose_sets, set_figures
from training.recipe.recipe import Recipe
from training.run.run import Run

VALIDATION_SCORES, TEST_SCORES = "validation_scores.npz", "test_scores.npz"
_PROBED = 1000
_BATCH = 64


class BrightnessProbe:
    """Measures the brightness of images while the network reads them."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []

    def __call__(self, images: Images) -> None:
        """Measure a batch of images."""
        self._parts.append(measure_brightness(images.x))

    @property
    def numbers(self) -> Floats:
        """The measured numbers, shape (n, 3)."""
        return np.concatenate(self._parts)


def evaluate(run: Run, recipe: Recipe, dataset: Dataset, network: keras.Model) -> EvaluationResult:
    """Evaluate a trained network on the test split.

    Parameters
    ----------
    run
        Gets ``validation_scores.npz`` and, under ``evaluation/``, ``test_scores.npz``,
        ``baselines.npz``, ``calibration.json``, ``figures.json``, ``report.html`` and the worst
        errors as pictures.
    recipe
        The recipe of the run.
    dataset
        The test split is evaluated; temperature and thresholds come from the validation split.
    network
        The trained network.

    Raises
    ------
    DataError
        If a split is empty.
    """
    classifier, question = TrainedNetwork(network), question_of(recipe)
    probes = BrightnessProbe(), BrightnessProbe()
    scored = []
    dataset = dataset.certain()
    splits = {"validation": dataset.validation, "test": dataset.test}
    for (name, samples), probe in zip(splits.items(), probes, strict=True):
        if not samples:
            raise DataError(f"the {name} split is empty: raise split.{name} in the recipe")
        run.log(f"running the network on {len(samples)} images: {name}")
        scored.append(score(classifier, samples, recipe, probe, dataset.studies))
    validation_scores, scores = scored
    calibration = calibrate(validation_scores, question, recipe.evaluation)
    sets = choose_sets(validation_scores, question, calibration, recipe.evaluation)
    if sets is None:
        run.log("no prediction sets: validation has too few cases for this confidence")
    calibration = replace(calibration, sets=sets)
    run.log("measuring the brightness of training images, for a baseline")
    baselines, known = make_baselines(recipe, dataset.train, (validation_scores, scores), probes)
    warned = list(warnings(validation_scores, question, known, recipe.evaluation.resamples))
    for warning in warned:
        run.log(warning)
    run.log(f"drawing patients {recipe.evaluation.resamples} times for the intervals")
    made_from = run.provenance("evaluate").to_dict()
    figures = headline(recipe, calibration, scores, "internal test", dataset.notes) | made_from
    figures |= {
        "warnings": warned,
        "calibration": calibration_gain(
            validation_scores, question, calibration, recipe.evaluation
        ),
        "prediction_sets": set_figures(scores, question, calibration, recipe.evaluation),
        **evaluate_scores(scores, question, calibration, recipe.evaluation, baselines),
    }
    validation_scores.save(run.folder / VALIDATION_SCORES)
    scores.save(run.evaluation / TEST_SCORES)
    save_baselines(run.evaluation / BASELINES, baselines)
    publish(
        run.evaluation, figures, scores, dataset.test, classifier, recipe, calibration=calibration
    )
    # The calibration comes last: later steps use the files above only if it fits the network.
    atomic_write(run.evaluation / CALIBRATION, as_json(calibration.to_dict() | made_from))
    return EvaluationResult(figures, calibration)


def make_baselines(
    recipe: Recipe,
    train: Sequence[Sample],
    scored: tuple[Scores, Scores],
    probes: tuple[BrightnessProbe, BrightnessProbe],
) -> tuple[dict[str, Baseline], dict[str, Floats]]:
    """Fit the two baselines on the training split.

    Parameters
    ----------
    train
        The training samples; the regression uses at most 1000 of them, evenly spaced.
    scored, probes
        Scores and brightness of the validation split and of the test split.

    Returns
    -------
    tuple
        The baselines on the test split, and their logits on the validation split.
    """
    question, classes = question_of(recipe), len(recipe.classes)
    truth = make_scores(train, np.zeros((len(train), classes)), classes).truth
    share = [prevalence_logits(truth, len(s.images), question.activation) for s in scored]
    chosen = np.unique(np.linspace(0, len(train) - 1, min(_PROBED, len(train))).astype(int))
    probe = BrightnessProbe()
    for start in range(0, chosen.size, _BATCH):
        batch = [train[i] for i in chosen[start : start + _BATCH]]
        probe(load_images(batch, recipe.input, classes, recipe.feeding.workers))
    model = BrightnessModel(probe.numbers, truth[chosen], question.activation)
    bright = [model.logits(each.numbers) for each in probes]
    logits = {"prevalence": share, "brightness": bright}
    baselines = {
        name: Baseline(
            on_test,
            calibrate(replace(scored[0], logits=on_validation), question, recipe.evaluation),
        )
        for name, (on_validation, on_test) in logits.items()
    }
    return baselines, {name: on_validation for name, (on_validation, _) in logits.items()}
