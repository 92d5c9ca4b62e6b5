"""The prediction sets of a run: chosen on validation, measured on the test split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.toys import toy_world
from training.evaluate import evaluate
from training.evaluate.cases import Scores, by_study
from training.evaluate.internal import TEST_SCORES
from training.evaluate.publish import calibration_of, question_of

pytestmark = pytest.mark.train

BINARY = ("empty", "bright")


def test_the_prediction_sets_are_chosen_on_validation_and_measured_on_the_test(
    tmp_path: Path,
) -> None:
    run, recipe, dataset, network = toy_world(tmp_path, BINARY)
    judged = evaluate(run, recipe, dataset, network)
    sets, found = judged.calibration.sets, judged.figures["prediction_sets"]
    assert sets.answers == found["answers"] == "findings"
    assert (found["unit"], found["cases"], found["confidence"]) == ("study", 36, 0.9)
    scores = Scores.load(run.evaluation / TEST_SCORES)
    cases = by_study(scores, question_of(recipe), judged.calibration)
    right = [
        sets.holds(1, row)[0 if true else 1]
        for row, true in zip(cases.probabilities, cases.truth[:, 1], strict=True)
    ]
    assert found["figures"]["coverage"]["value"] == pytest.approx(np.mean(right), abs=1e-5)
    figures = {name: each["value"] for name, each in found["figures"].items()}
    assert figures["both"] + figures["none"] <= figures["undetermined"] <= 1
    assert "Prediction sets" in (run.evaluation / "report.html").read_text(encoding="utf-8")
    assert calibration_of(run) == judged.calibration
    assert len(dataset.validation) > 0


def test_of_few_validation_cases_there_are_no_sets(tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path, BINARY)
    few = replace(dataset, validation=dataset.validation[:16])
    judged = evaluate(run, recipe, few, network)
    assert judged.calibration.sets is None
    assert judged.figures["prediction_sets"] is None
    assert "no prediction sets" in (run.folder / "log.txt").read_text()
