import math

import numpy as np
import pytest

from training.demo_metrics import (
    auc,
    best_threshold,
    bootstrap,
    calibration_error,
    fit_temperature,
)


def test_auc_is_the_chance_that_a_positive_scores_higher() -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 20, 200) / 20, rng.integers(0, 2, 200)
    above = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    wanted = ((above > 0) + 0.5 * (above == 0)).mean()
    assert auc(scores, labels) == pytest.approx(wanted)
    assert auc(labels.astype(float), labels) == 1.0
    assert auc(np.zeros(200), labels) == 0.5


def test_auc_of_one_class_is_undefined() -> None:
    assert math.isnan(auc(np.array([0.1, 0.2]), np.array([1, 1])))


def test_the_interval_covers_the_value_and_draws_patients() -> None:
    values = np.random.default_rng(2).uniform(size=400)
    alone = bootstrap(lambda chosen: float(values[chosen].mean()), [str(i) for i in range(400)])
    assert alone.low < alone.value < alone.high
    assert alone.high - alone.low == pytest.approx(4 * values.std() / 20, rel=0.1)
    # The same values, each of ten images of one patient: a tenth of the evidence.
    tenfold = np.repeat(values[:40], 10)
    patients = [str(i // 10) for i in range(400)]
    grouped = bootstrap(lambda chosen: float(tenfold[chosen].mean()), patients)
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1.5, (20_000, 2))
    chance = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    labels = (rng.uniform(size=20_000) < chance).astype(np.int64)
    assert fit_temperature(3.0 * logits, labels) == pytest.approx(3.0, rel=0.05)


def test_calibration_error_of_honest_and_of_boastful_probabilities() -> None:
    rng = np.random.default_rng(4)
    honest = rng.uniform(size=50_000)
    labels = (rng.uniform(size=50_000) < honest).astype(np.int64)
    assert calibration_error(honest, labels) < 0.02
    assert calibration_error(np.ones(50_000), labels) == pytest.approx(0.5, abs=0.02)


def test_the_threshold_separates_what_can_be_separated() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.7, 0.8])
    labels = np.array([0, 0, 0, 1, 1])
    assert best_threshold(scores, labels) == pytest.approx(0.5)
    assert best_threshold(np.array([0.4, 0.4]), np.array([0, 1])) == 0.5
