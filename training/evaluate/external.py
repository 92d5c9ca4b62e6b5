"""Judge a run on data of another origin, and say how much worse it is there."""

import json
from collections.abc import Collection, Sequence

import keras

from pacs_ai.errors import DataError
from training.data.report import FILE as DATASET
from training.data.samples import TRAIN, VALIDATION, Sample
from training.evaluate.cases import Scores, by_image
from training.evaluate.internal import TEST_SCORES
from training.evaluate.judge import cases_of, drop, judge, units_of
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import Judged, calibration_of, headline, publish, question_of
from training.evaluate.score import score
from training.recipe.recipe import Recipe
from training.run.run import Run


def learned_patients(run: Run) -> frozenset[str]:
    """Keys of the patients that a run's network learned from or was calibrated on.

    Raises
    ------
    DataError
        If the run does not say.
    """
    path = run.folder / DATASET
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["images"]
        return frozenset(str(row[1]) for row in rows if row[0] in (TRAIN, VALIDATION))
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{path} cannot be read: train the run again") from error


def evaluate_other(
    run: Run,
    recipe: Recipe,
    samples: Sequence[Sample],
    network: keras.Model,
    name: str,
    learned: Collection[str] = (),
) -> Judged:
    """Judge a trained network on other data, with the temperature and thresholds it has.

    Parameters
    ----------
    run
        Whose evaluation on its own test split is done; gets ``evaluation/NAME/`` with
        ``figures.json`` and ``report.html``.
    recipe
        What was followed.
    samples
        The other data, all of it.
    network
        The trained one.
    name
        What the data are called.
    learned
        Keys of the patients that the network learned from or was calibrated on.

    Raises
    ------
    DataError
        If the run was not evaluated yet, there are no samples, or one of their patients is known
        to the network.
    """
    if not samples:
        raise DataError(f"{name} holds no sample of the classes that the model knows")
    shared = {sample.key for sample in samples} & set(learned)
    if shared:
        raise DataError(
            f"{len(shared)} patients of {name} are among those the model learned from: "
            f"no external test ({', '.join(sorted(shared)[:3])} …); leave them out"
        )
    calibration = calibration_of(run)
    internal, question = Scores.load(run.evaluation / TEST_SCORES), question_of(recipe)
    looking = TrainedNetwork(network)
    run.log(f"looking at {len(samples)} images: {name}")
    scores = score(looking, samples, recipe)
    folder = run.evaluation / name
    folder.mkdir(exist_ok=True)
    scores.save(folder / TEST_SCORES)
    both = [unit for unit in units_of(internal) if unit in units_of(scores)]
    figures = headline(recipe, calibration, scores, f"external test: {name}", ()) | {
        "drop": {
            unit: drop(
                cases_of(unit, internal, question, calibration),
                cases_of(unit, scores, question, calibration),
                recipe.evaluation,
            )
            for unit in both
        },
        **judge(scores, question, calibration, recipe.evaluation, {}),
    }
    publish(folder, figures, by_image(scores, question, calibration), samples, looking, recipe)
    return Judged(figures, calibration)
