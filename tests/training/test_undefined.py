"""Figures that are not defined, and networks that learned nothing."""

from dataclasses import replace

import numpy as np
import pytest

from pacs_ai.statistics.cases import Question
from pacs_ai.statistics.figures import draw_figures, tabulate
from training.evaluate.against_baselines import warnings
from training.evaluate.cases import Scores, by_image
from training.evaluate.results import evaluate_scores
from training.recipe.evaluation import Evaluation
from training.statistics.calibration import Calibration

SEVERAL = Question(("none", "a", "b"), (False, True, True), "softmax", "max")
BINARY = Question(("none", "a"), (False, True), "softmax", "max")
CONFIG = Evaluation(resamples=100)


def scores_of(classes: list[int], count: int, patients: int, shift: float = 2.0) -> Scores:
    """Draw logits that are right more often the larger ``shift`` is."""
    rng = np.random.default_rng(1)
    truth = np.eye(count, dtype=bool)[classes]
    n = len(classes)
    return Scores(
        tuple(f"{i}" for i in range(n)),
        tuple(f"p{i % patients}" for i in range(n)),
        tuple(f"{i}" for i in range(n)),
        rng.normal(size=(n, count)) + shift * truth,
        truth,
        {},
        np.full((n, 0), -1),
    )


def table_of(scores: Scores, question: Question):
    count = len(question.classes)
    cases = by_image(scores, question, Calibration(1.0, (0.5,) * count))
    return tabulate(cases, draw_figures(cases, CONFIG))


def test_averages_go_over_the_classes_that_are_present() -> None:
    found = table_of(scores_of([0, 1] * 30, 3, 20), SEVERAL)
    assert found.undefined == ("b: no case has it, so averages go over the other classes",)
    assert np.isnan(found.classes["b"]["auc"].value)
    assert np.isnan(found.classes["b"]["f1"].value)
    for name in ("auc", "f1", "sensitivity"):
        present = [found.classes[each][name].value for each in ("none", "a")]
        assert found.overall[name].value == pytest.approx(np.mean(present))
    assert 0.5 < found.overall["balanced_accuracy"].value < 1


def test_one_class_only_has_no_auc_and_an_accuracy() -> None:
    found = table_of(scores_of([1] * 30, 3, 20), SEVERAL)
    assert len(found.undefined) == 3
    assert "a: all cases have it, so its AUC and specificity are not defined" in found.undefined
    assert np.isnan(found.overall["auc"].value)
    assert found.overall["accuracy"].value > 0.5


def test_one_patient_has_figures_and_no_intervals() -> None:
    found = table_of(scores_of([0, 1] * 15, 2, 1), BINARY)
    assert found.undefined == ("one patient only, so there are no intervals",)
    assert found.overall["auc"].value > 0.5
    assert np.isnan(found.overall["auc"].low)


@pytest.mark.parametrize("classes", [[0, 1] * 15, [1] * 30, [0] * 30])
@pytest.mark.parametrize("patients", [1, 9])
def test_all_of_it_becomes_json(classes: list[int], patients: int) -> None:
    calibration = Calibration(1.0, (0.5, 0.5))
    scores = scores_of(classes, 2, patients)
    found = evaluate_scores(scores, BINARY, calibration, CONFIG, {})
    assert found["units"]["image"]["all"]["cases"] == 30


def test_a_network_that_learned_nothing_is_named() -> None:
    good = scores_of([0, 1] * 30, 2, 30)
    flat = {"prevalence": np.zeros((60, 2))}
    assert not list(warnings(good, BINARY, flat, 200))
    (said,) = warnings(replace(good, logits=np.zeros((60, 2))), BINARY, flat, 200)
    assert said.startswith("NO BETTER THAN A BASELINE: on validation the AUC of the best epoch")
    (said,) = warnings(scores_of([1] * 30, 2, 30), BINARY, flat, 200)
    assert "one class only" in said
