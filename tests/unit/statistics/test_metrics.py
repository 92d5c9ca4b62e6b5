import math

import numpy as np
import pytest

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import bootstrap, interval, intervals


def ones(n: int) -> np.ndarray:
    return np.ones((1, n))


@pytest.fixture
def cases() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, 20, 200) / 20, rng.integers(0, 2, 200).astype(bool)


def test_auc_is_the_chance_that_a_positive_scores_higher(cases) -> None:
    scores, truth = cases
    above = scores[truth][:, None] - scores[~truth][None, :]
    wanted = ((above > 0) + 0.5 * (above == 0)).mean()
    assert metrics.auc(scores, truth, ones(200))[0] == pytest.approx(wanted)
    assert metrics.auc(truth.astype(float), truth, ones(200))[0] == 1.0
    assert metrics.auc(np.zeros(200), truth, ones(200))[0] == 0.5


def test_average_precision_by_hand() -> None:
    # Ranked: + - + + -; precision at the positives: 1, 2/3, 3/4.
    truth = np.array([True, False, True, True, False])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    wanted = (1 + 2 / 3 + 3 / 4) / 3
    assert metrics.average_precision(scores, truth, ones(5))[0] == pytest.approx(wanted)
    assert metrics.average_precision(np.zeros(5), truth, ones(5))[0] == pytest.approx(3 / 5)


def test_weights_count_as_repeated_cases(cases) -> None:
    scores, truth = cases
    times = np.random.default_rng(2).integers(0, 4, 200)
    many = np.repeat(np.arange(200), times)
    weights = times[None].astype(float)
    for figure in (metrics.auc, metrics.average_precision):
        repeated = figure(scores[many], truth[many], ones(many.size))[0]
        assert figure(scores, truth, weights)[0] == pytest.approx(repeated)
    repeated = metrics.calibration_error(scores[many], truth[many], 10, ones(many.size))
    assert metrics.calibration_error(scores, truth, 10, weights) == pytest.approx(repeated)


def test_what_is_not_defined_is_not_a_number() -> None:
    truth = np.array([True, True])
    assert math.isnan(metrics.auc(np.array([0.1, 0.2]), truth, ones(2))[0])
    assert math.isnan(metrics.average_precision(np.array([0.1, 0.2]), ~truth, ones(2))[0])
    table = np.array([[[0.0, 0.0], [1.0, 3.0]]])
    assert math.isnan(metrics.rates(table)["specificity"][0])
    assert metrics.rates(table)["sensitivity"][0] == 0.75


def test_rates_by_hand() -> None:
    found = metrics.rates(np.array([[[50.0, 10.0], [5.0, 35.0]]]))
    assert {name: round(float(value[0]), 6) for name, value in found.items()} == {
        "sensitivity": 0.875,
        "specificity": round(50 / 60, 6),
        "ppv": round(35 / 45, 6),
        "npv": round(50 / 55, 6),
        "f1": round(70 / 85, 6),
        "mcc": round((35 * 50 - 10 * 5) / math.sqrt(45 * 40 * 60 * 55), 6),
    }


def test_confusion_and_one_against_the_rest() -> None:
    truth, said = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2])
    table = metrics.confusion(truth, said, 3, ones(6))
    assert table[0].tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    for k in range(3):
        pair = metrics.confusion((truth == k) * 1, (said == k) * 1, 2, ones(6))
        assert np.array_equal(metrics.one_against_rest(table)[:, k], pair)


def test_the_correlation_of_two_classes_is_that_of_matthews(cases) -> None:
    scores, truth = cases
    table = metrics.confusion(truth * 1, (scores > 0.4) * 1, 2, ones(200))
    assert metrics.correlation(table) == pytest.approx(metrics.rates(table)["mcc"])
    # Three classes: Pearson's correlation of the indicator matrices (Gorodkin, 2004).
    rng = np.random.default_rng(3)
    true, said = rng.integers(0, 3, 90), rng.integers(0, 3, 90)
    a, b = np.eye(3)[true], np.eye(3)[said]
    a, b = a - a.mean(0), b - b.mean(0)
    wanted = (a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum())
    assert metrics.correlation(metrics.confusion(true, said, 3, ones(90)))[0] == pytest.approx(
        wanted
    )


def test_kappa_of_the_papers() -> None:
    # Two raters, 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, chance 0.5.
    assert metrics.kappa(np.array([[[20.0, 5.0], [10.0, 15.0]]]))[0] == pytest.approx(0.4)
    # The worked example of Fleiss (1971) as given in textbooks: 10 subjects, 14 raters, 0.210.
    counts = np.array(
        [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ],
        dtype=float,
    )
    assert metrics.fleiss_kappa(counts, ones(10))[0] == pytest.approx(0.210, abs=5e-4)


def test_calibration_error_of_honest_and_of_boastful_probabilities() -> None:
    rng = np.random.default_rng(4)
    honest = rng.uniform(size=50_000)
    truth = rng.uniform(size=50_000) < honest
    assert metrics.calibration_error(honest, truth, 10, ones(50_000))[0] < 0.02
    boast = metrics.calibration_error(np.ones(50_000), truth, 10, ones(50_000))[0]
    assert boast == pytest.approx(0.5, abs=0.02)


def test_the_interval_covers_the_value_and_draws_patients() -> None:
    values = np.random.default_rng(2).uniform(size=400)

    def means(cases: np.ndarray):
        return lambda weights: {"mean": metrics.mean(cases, weights)}

    alone = intervals(means(values), [str(i) for i in range(400)], 2000)["mean"]
    assert alone.low < alone.value < alone.high
    assert alone.high - alone.low == pytest.approx(4 * values.std() / 20, rel=0.1)
    # The same values, each of ten images of one patient: a tenth of the evidence.
    tenfold = np.repeat(values[:40], 10)
    grouped = intervals(means(tenfold), [str(i // 10) for i in range(400)], 2000)["mean"]
    assert grouped.high - grouped.low > 2.5 * (alone.high - alone.low)


def test_the_interval_of_an_auc_agrees_with_hanley_and_mcneil() -> None:
    rng = np.random.default_rng(5)
    truth = np.arange(300) < 120
    scores = rng.normal(size=300) + 1.2 * truth
    found = intervals(
        lambda w: {"auc": metrics.auc(scores, truth, w)}, [str(i) for i in range(300)], 2000
    )["auc"]
    a, yes, no = found.value, 120, 180
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = math.sqrt((a * (1 - a) + (yes - 1) * (q1 - a * a) + (no - 1) * (q2 - a * a)) / yes / no)
    assert (found.high - found.low) / 3.92 == pytest.approx(error, rel=0.15)


def test_draws_repeat_and_do_not_depend_on_how_many_fit_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patients = [str(i % 7) for i in range(20)]
    values = np.arange(20.0)
    measure = lambda weights: {"mean": metrics.mean(values, weights)}  # noqa: E731
    first = bootstrap(measure, patients, 150)["mean"]
    monkeypatch.setattr("pacs_ai.statistics.bootstrap._CELLS", 60)
    assert np.allclose(bootstrap(measure, patients, 150)["mean"], first, rtol=1e-14)
    assert first.shape == (151,)


def test_an_interval_leaves_undefined_draws_out() -> None:
    nan = float("nan")
    assert interval(np.array([0.5, nan, 0.4, 0.6])).low == pytest.approx(0.405)
    assert math.isnan(interval(np.array([nan, 0.4, 0.6])).value)
    assert math.isnan(interval(np.array([0.5, nan])).low)
