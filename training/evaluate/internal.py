"""Judge a run on its own test split: calibrate on validation, then look at the test once."""

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from pacs_ai.errors import DataError
from training.data.read import Images, load_images
from training.data.samples import Dataset, Sample
from training.evaluate.baseline import BrightnessModel, measure_brightness, prevalence_logits
from training.evaluate.cases import Scores, by_image
from training.evaluate.judge import Rival, judge
from training.evaluate.network import TrainedNetwork
from training.evaluate.operating import calibrate, calibration_gain
from training.evaluate.publish import CALIBRATION, Judged, as_json, headline, publish, question_of
from training.evaluate.score import describe, score
from training.recipe.recipe import Recipe
from training.run.disk import write_whole
from training.run.run import Run
from training.statistics.metrics import Floats

VALIDATION_SCORES, TEST_SCORES = "validation_scores.npz", "test_scores.npz"
_GLANCED = 1000
_BATCH = 64


class Glance:
    """Collects the brightness of images that pass by."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []

    def __call__(self, images: Images) -> None:
        """Measure some images."""
        self._parts.append(measure_brightness(images.x))

    @property
    def numbers(self) -> Floats:
        """What was measured, shape (n, 3)."""
        return np.concatenate(self._parts)


def evaluate(run: Run, recipe: Recipe, dataset: Dataset, network: keras.Model) -> Judged:
    """Judge a trained network on the test split of its data.

    Parameters
    ----------
    run
        Gets ``validation_scores.npz`` and, under ``evaluation/``, ``test_scores.npz``,
        ``calibration.json``, ``figures.json``, ``report.html`` and the worst errors as pictures.
    recipe
        What was followed.
    dataset
        Whose test split is looked at; temperature and thresholds come from its validation split.
    network
        The trained one.

    Raises
    ------
    DataError
        If a split is empty.
    """
    looking, question = TrainedNetwork(network), question_of(recipe)
    glances = Glance(), Glance()
    scored = []
    splits = {"validation": dataset.validation, "test": dataset.test}
    for (name, samples), glance in zip(splits.items(), glances, strict=True):
        if not samples:
            raise DataError(f"the {name} split is empty: raise split.{name} in the recipe")
        run.log(f"looking at {len(samples)} images: {name}")
        scored.append(score(looking, samples, recipe, watch=glance))
    validation_scores, scores = scored
    calibration = calibrate(validation_scores, question, recipe.evaluation)
    validation_scores.save(run.folder / VALIDATION_SCORES)
    scores.save(run.evaluation / TEST_SCORES)
    write_whole(run.evaluation / CALIBRATION, as_json(calibration.to_dict()))
    run.log("looking at the brightness of training images, for a baseline")
    rivals = baselines(recipe, dataset.train, (validation_scores, scores), glances)
    run.log(f"drawing patients {recipe.evaluation.resamples} times for each interval")
    figures = headline(recipe, calibration, scores, "internal test", dataset.notes) | {
        "calibration": calibration_gain(
            validation_scores, question, calibration, recipe.evaluation
        ),
        **judge(scores, question, calibration, recipe.evaluation, rivals),
    }
    images = by_image(scores, question, calibration)
    publish(run.evaluation, figures, images, dataset.test, looking, recipe)
    return Judged(figures, calibration)


def baselines(
    recipe: Recipe,
    train: Sequence[Sample],
    scored: tuple[Scores, Scores],
    glances: tuple[Glance, Glance],
) -> dict[str, Rival]:
    """Make the two baselines from the training split, and let them answer for the test split.

    Parameters
    ----------
    train
        The training samples; the regression takes a thousand of them at most, evenly spaced.
    scored, glances
        Scores and brightness of the validation and of the test split.
    """
    question, classes = question_of(recipe), len(recipe.classes)
    truth = describe(train, np.zeros((len(train), classes)), classes).truth
    share = [prevalence_logits(truth, len(s.images), question.activation) for s in scored]
    chosen = np.unique(np.linspace(0, len(train) - 1, min(_GLANCED, len(train))).astype(int))
    glance = Glance()
    for start in range(0, chosen.size, _BATCH):
        batch = [train[i] for i in chosen[start : start + _BATCH]]
        glance(load_images(batch, recipe.input, classes, recipe.feeding.workers))
    model = BrightnessModel(glance.numbers, truth[chosen], question.activation)
    bright = [model.logits(each.numbers) for each in glances]
    return {
        name: Rival(
            on_test,
            calibrate(replace(scored[0], logits=on_validation), question, recipe.evaluation),
        )
        for name, (on_validation, on_test) in (("prevalence", share), ("brightness", bright))
    }
