"""Prediction sets hold the truth as often as they say: over many draws, and on a test split."""

import numpy as np
import pytest

from pacs_ai.prediction_sets import PredictionSets
from training.statistics.conformal import fit_sets, rank

DRAWS, NEW = 120, 250


def softmax_cases(
    rng: np.random.Generator, n: int, shares: list[float], sharpness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw cases of classes that exclude each other; the probabilities need not be calibrated."""
    true = rng.choice(len(shares), n, p=shares)
    logits = rng.normal(size=(n, len(shares)))
    logits[np.arange(n), true] += sharpness
    powers = np.exp(1.7 * logits)
    return powers / powers.sum(axis=1, keepdims=True), np.eye(len(shares), dtype=bool)[true]


def sigmoid_cases(
    rng: np.random.Generator, n: int, shares: list[float], sharpness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Draw cases of findings that stand by themselves."""
    truth = rng.uniform(size=(n, len(shares))) < shares
    return 1 / (1 + np.exp(-rng.normal(size=truth.shape) - sharpness * truth + 1)), truth


def held(sets: PredictionSets, probabilities: np.ndarray) -> np.ndarray:
    """Whether each class can be present, and absent, shape (n, classes, 2)."""
    classes = range(probabilities.shape[1])
    return np.array([[sets.holds(k, row) for k in classes] for row in probabilities])


@pytest.mark.parametrize("sharpness", [1.0, 8.0], ids=["doubtful", "nearly perfect"])
@pytest.mark.parametrize("confidence", [0.8, 0.9])
@pytest.mark.parametrize("shares", [[0.7, 0.3], [0.5, 0.3, 0.2]])
def test_each_class_is_in_its_set_as_often_as_promised(
    shares: list[float], confidence: float, sharpness: float
) -> None:
    rng = np.random.default_rng(5)
    found: list[list[float]] = []
    for _ in range(DRAWS):
        sets = fit_sets(*softmax_cases(rng, 400, shares, sharpness), confidence, exclusive=True)
        assert sets is not None
        probabilities, truth = softmax_cases(rng, NEW, shares, sharpness)
        present = held(sets, probabilities)[..., 0]
        found.append(
            [present[truth].mean(), *(present[t, k].mean() for k, t in enumerate(truth.T))]
        )
    means = np.mean(found, axis=0)
    assert confidence - 0.01 < means[0] < confidence + 0.02
    assert (abs(means - confidence) < 0.025).all()


def test_each_answer_on_a_finding_is_in_its_set_as_often_as_promised() -> None:
    rng, shares = np.random.default_rng(6), [0.3, 0.5]
    found = []
    for _ in range(DRAWS):
        sets = fit_sets(*sigmoid_cases(rng, 400, shares, 1.5), 0.9, exclusive=False)
        assert sets is not None
        probabilities, truth = sigmoid_cases(rng, NEW, shares, 1.5)
        both = held(sets, probabilities)
        found.append([both[..., 0][truth].mean(), both[..., 1][~truth].mean()])
    assert np.mean(found, axis=0) == pytest.approx([0.9, 0.9], abs=0.015)


def test_rare_classes_share_a_limit_that_holds_for_them_together() -> None:
    rng, shares = np.random.default_rng(7), [0.85, 0.1, 0.05]
    found = []
    for _ in range(DRAWS):
        sets = fit_sets(*softmax_cases(rng, 600, shares, 2.0), 0.9, exclusive=True)
        assert sets is not None
        assert sets.lowest[1] == sets.lowest[2] != sets.lowest[0]
        probabilities, truth = softmax_cases(rng, NEW, shares, 2.0)
        present, rare = held(sets, probabilities)[..., 0], truth[:, 1:].any(axis=1)
        found.append([present[~rare][truth[~rare]].mean(), present[rare][truth[rare]].mean()])
    assert np.mean(found, axis=0) == pytest.approx([0.9, 0.9], abs=0.03)


def test_two_classes_answer_each_for_itself() -> None:
    """The set of classes and the answers on each class are the same sets."""
    probabilities, truth = softmax_cases(np.random.default_rng(8), 300, [0.6, 0.4], 1.0)
    sets = fit_sets(probabilities, truth, 0.9, exclusive=True)
    assert sets is not None
    assert sets.answers == "findings"
    assert sets.highest == (1 - sets.lowest[1], 1 - sets.lowest[0])


def test_too_few_cases_promise_nothing() -> None:
    rng = np.random.default_rng(9)
    assert rank(9, 0.9) == 9
    assert rank(8, 0.9) == 9
    assert fit_sets(*softmax_cases(rng, 8, [0.5, 0.5], 1.0), 0.9, exclusive=True) is None
    assert fit_sets(*softmax_cases(rng, 9, [0.5, 0.5], 1.0), 0.9, exclusive=True) is not None
