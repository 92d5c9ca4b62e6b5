import numpy as np
import pytest

from pacs_ai.statistics.curves import reliability
from pacs_ai.statistics.operating_point import choose_threshold
from training.recipe.evaluation import Evaluation
from training.statistics.calibration import (
    Calibration,
    choose_operating_points,
    fit_temperature,
    log_loss,
)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1.5, (20_000, 2))
    second = rng.uniform(size=20_000) > 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    truth = np.stack([~second, second], axis=1)
    assert fit_temperature(3.0 * logits, truth, "softmax") == pytest.approx(3.0, rel=0.05)
    truth = rng.uniform(size=(20_000, 2)) < 1 / (1 + np.exp(-logits))
    assert fit_temperature(0.5 * logits, truth, "sigmoid") == pytest.approx(0.5, rel=0.05)


def test_loss_by_hand() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1]]))
    truth = np.array([[False, True, False]])
    assert log_loss(logits, truth, "softmax", 1.0)[0] == pytest.approx(-np.log(0.2))
    odds = np.log(np.array([[0.7 / 0.3, 0.2 / 0.8]]))
    truth = np.array([[True, False]])
    wanted = -(np.log(0.7) + np.log(0.8)) / 2
    assert log_loss(odds, truth, "sigmoid", 1.0)[0] == pytest.approx(wanted)
    assert np.isfinite(log_loss(np.array([[1e4, -1e4]]), truth, "sigmoid", 1.0)).all()


def test_the_threshold_separates_what_can_be_separated() -> None:
    scores, truth = np.array([0.1, 0.2, 0.3, 0.7, 0.8]), np.array([0, 0, 0, 1, 1], dtype=bool)
    assert choose_threshold(scores, truth, Evaluation()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scores", "truth"), [([0.4, 0.4], [0, 1]), ([0.3, 0.4], [1, 1]), ([0.3, 0.4], [0, 0])]
)
def test_without_a_choice_the_threshold_is_a_half(scores: list[float], truth: list[int]) -> None:
    assert choose_threshold(np.array(scores), np.array(truth, dtype=bool), Evaluation()) == 0.5


@pytest.mark.parametrize("point", ["sensitivity", "specificity"])
def test_a_target_is_reached_at_the_least_cost(point: str) -> None:
    rng = np.random.default_rng(6)
    truth = rng.uniform(size=500) < 0.4
    scores = 1 / (1 + np.exp(-(rng.normal(size=500) + 1.5 * truth)))
    cut = choose_threshold(scores, truth, Evaluation(operating_point=point, target=0.9))
    wanted = {"sensitivity": scores[truth] >= cut, "specificity": scores[~truth] < cut}[point]
    assert 0.9 <= wanted.mean() < 0.93


def test_crowded_scores_are_still_separated() -> None:
    scores, truth = np.array([1e-9, 2e-9, 3e-9, 4e-9]), np.array([0, 0, 1, 1], dtype=bool)
    assert 2e-9 < choose_threshold(scores, truth, Evaluation()) <= 3e-9
    scores = np.array([0.5, np.nextafter(0.5, 1)])
    assert choose_threshold(scores, np.array([False, True]), Evaluation()) == scores[1]


def test_two_classes_never_contradict_each_other() -> None:
    rng = np.random.default_rng(7)
    second = rng.uniform(size=200) < 0.3
    logits = np.stack([np.zeros(200), rng.normal(size=200) + 2 * second - 1], axis=1)
    truth = np.stack([~second, second], axis=1)
    found = choose_operating_points(logits, truth, "softmax", [False, True], Evaluation())
    assert sum(found.thresholds) == pytest.approx(1.0)
    assert Calibration.from_dict(found.to_dict()) == found
    plain = Evaluation(calibrate=False)
    found = choose_operating_points(logits, truth, "softmax", [False, True], plain)
    assert found.temperature == 1.0


def test_reliability_by_hand() -> None:
    probabilities, truth = np.array([0.05, 0.15, 0.16, 1.0]), np.array([0, 0, 1, 1], dtype=bool)
    points = reliability(probabilities, truth, 10)
    assert points == [(0.05, 0.0, 1), (pytest.approx(0.155), 0.5, 2), (1.0, 1.0, 1)]


def test_an_operating_point_without_its_target_is_refused() -> None:
    with pytest.raises(ValueError, match="target"):
        Evaluation(operating_point="sensitivity")
    with pytest.raises(ValueError, match="target"):
        Evaluation(target=0.9)
