from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.outlier import OutlierEntry, Outliers
from training.statistics import outlier
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
    assert fit(x, labels).shape == (3, 1 + K, K)
    assert fit(x, np.zeros(len(x))).shape == (1, 1 + K, K)


def beyond(statistics: np.ndarray, kinds: list[np.ndarray]) -> list[float]:
    """Share of each kind that is beyond the limit that all of them choose together."""
    outliers = Outliers(statistics, choose_limit(statistics, np.concatenate(kinds)))
    return [float(np.mean(outliers.score(one) > 1)) for one in kinds]


def test_a_rare_kind_that_spreads_wider_is_as_seldom_an_outlier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kinds(seed: int) -> list[np.ndarray]:
        return [cloud(2000, 0, seed), 2 * cloud(200, 8, seed + 1)]

    labels = np.repeat([0, 1], [2000, 200])
    common, wide = beyond(fit(np.concatenate(kinds(1)), labels), kinds(3))
    assert common == pytest.approx(0.01, abs=0.006)
    assert wide < 0.03
    monkeypatch.setattr(outlier, "_MOST", 2 * K * K - 1)
    statistics = fit(np.concatenate(kinds(1)), labels)
    assert statistics.shape == (2 + K, K)
    assert beyond(statistics, kinds(3))[1] > 0.06, "one covariance for both calls many so"


def test_a_small_group_leans_on_the_others() -> None:
    x = np.concatenate([cloud(400, 0, 1), cloud(20, 8, 2)])
    statistics = fit(x, np.repeat([0, 1], [400, 20]))
    assert np.isfinite(statistics).all()
    fresh = cloud(400, 8, 5)
    scores = Outliers(statistics, choose_limit(statistics, cloud(400, 0, 3))).score(fresh)
    assert np.mean(scores > 1) < 0.2


def test_a_group_of_copies_is_no_fault() -> None:
    x = np.concatenate([cloud(400, 0, 1), np.repeat(cloud(1, 8, 2), 30, axis=0)])
    statistics = fit(x, np.repeat([0, 1], [400, 30]))
    assert np.isfinite(Outliers(statistics, OutlierEntry(limit=1.0)).score(x)).all()


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
