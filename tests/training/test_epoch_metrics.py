"""The metrics of an epoch agree with those of the evaluation."""

import numpy as np
import pytest

from pacs_ai.model.predict import activate
from pacs_ai.statistics import metrics
from training.learn.metrics import AreaUnderCurve

pytestmark = pytest.mark.train


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_auc_of_an_epoch_is_that_of_the_evaluation(activation: str) -> None:
    rng = np.random.default_rng(1)
    truth = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 300)]
    logits = (3 * rng.normal(size=(300, 3)) + 3 * truth).astype(np.float32)
    measured = AreaUnderCurve(3, activation)
    for start in range(0, 300, 64):
        measured.update_state(truth[start : start + 64], logits[start : start + 64])
    probabilities = activate(logits, activation, 1.0)
    once = np.ones((1, 300))
    wanted = [metrics.auc(probabilities[:, k], truth[:, k] > 0, once)[0] for k in range(3)]
    assert float(measured.result()) == pytest.approx(np.mean(wanted), abs=5e-4)


def test_a_class_without_images_of_both_kinds_does_not_count() -> None:
    measured = AreaUnderCurve(2, "sigmoid")
    assert float(measured.result()) == 0.5
    truth = np.array([[1, 0], [0, 0], [1, 0]], dtype=np.float32)
    measured.update_state(truth, np.array([[2, 1], [-1, 3], [1, 0]], dtype=np.float32))
    assert float(measured.result()) == 1.0
    saturated = AreaUnderCurve(2, "softmax")
    saturated.update_state(np.eye(2)[[0, 1]], np.array([[18.0, 0], [17.0, 0]]))
    assert float(saturated.result()) == 1.0
