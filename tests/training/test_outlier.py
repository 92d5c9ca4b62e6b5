from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.outlier import Outliers
from training.statistics.outlier import choose_limit, fit, pool, write

K = 6


def cloud(n: int, centre: float, seed: int) -> np.ndarray:
    """Features of one class: twice as wide in the first direction, and never moving in the last."""
    x = np.random.default_rng(seed).standard_normal((n, K)) + centre
    x[:, 0] *= 2
    x[:, -1] = 3
    return x.astype(np.float32)


@pytest.fixture
def statistics() -> np.ndarray:
    labels = np.repeat([0, 1], 400)
    return fit(np.concatenate([cloud(400, 0, 1), cloud(400, 8, 2)]), labels)


def test_the_limit_keeps_the_wanted_share_of_validation(statistics: np.ndarray) -> None:
    validation_scores = np.concatenate([cloud(200, 0, 3), cloud(200, 8, 4)])
    entry = choose_limit(statistics, validation_scores, quantile=0.95, policy="withhold")
    assert entry.policy == "withhold"
    scores = Outliers(statistics, entry).score(validation_scores)
    assert np.mean(scores <= 1) == pytest.approx(0.95, abs=0.01)


def test_what_lies_between_the_classes_is_an_outlier(statistics: np.ndarray) -> None:
    entry = choose_limit(statistics, np.concatenate([cloud(200, 0, 3), cloud(200, 8, 4)]))
    outliers = Outliers(statistics, entry)
    middle = np.full((1, K), 4, np.float32)
    middle[:, -1] = 3
    assert outliers.score(middle)[0] > 1
    assert outliers.score(cloud(1, 0, 9))[0] < 1


def test_labels_of_several_classes_make_groups_and_rare_ones_one_together() -> None:
    x = np.concatenate([cloud(100, 0, 1), cloud(100, 5, 2), cloud(8, 9, 3)])
    labels = np.array([[1, 0]] * 100 + [[0, 1]] * 100 + [[1, 1]] * 4 + [[0, 0]] * 4)
    assert fit(x, labels).shape == (3 + K, K)
    assert fit(x, np.zeros(len(x))).shape == (1 + K, K)


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ExportMismatch, match="too few"):
        fit(cloud(K, 0, 1), np.zeros(K))


def test_pooling_is_the_mean_over_the_map() -> None:
    maps = np.random.default_rng(0).uniform(0, 1, (2, 3, 4, K)).astype(np.float32)
    assert np.allclose(pool(maps), maps.mean((1, 2)))


def test_what_is_written_is_read_back(statistics: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path, statistics)
    assert np.array_equal(np.load(tmp_path / "outlier.npy"), statistics)
    with pytest.raises(ExportMismatch, match="finite"):
        write(tmp_path, np.full_like(statistics, np.nan))
