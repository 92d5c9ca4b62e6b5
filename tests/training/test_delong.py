"""DeLong's variance: against the definition, case by case, and against the bootstrap."""

import math

import numpy as np
import pytest

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import bootstrap
from training.statistics.delong import components, delong


def readers(n: int, seed: int, *, of: int = 1, tied: bool = False):
    """Two correlated scores of ``n`` patients with ``of`` cases each."""
    rng = np.random.default_rng(seed)
    patients = np.repeat([f"p{i}" for i in range(n)], of)
    truth = rng.uniform(size=n * of) < 0.4
    habit = np.repeat(rng.normal(size=n), of)
    shared = rng.normal(size=n * of) + habit
    scores = [strength * truth + shared + rng.normal(size=n * of) for strength in (1.2, 1.8)]
    return *(np.round(s) if tied else s for s in scores), truth, list(patients)


def kernel(x: float, y: float) -> float:
    return 1.0 if x > y else 0.5 if x == y else 0.0


def slow_components(scores, truth):
    yes, no = scores[truth].tolist(), scores[~truth].tolist()
    return (
        [sum(kernel(x, y) for y in no) / len(no) for x in yes],
        [sum(kernel(x, y) for x in yes) / len(yes) for y in no],
    )


def covariance(a, b) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (len(a) - 1)


def by_definition(one, other, truth) -> tuple[float, float]:
    """The difference and its variance: L S L' with S = S10 / m + S01 / n (DeLong et al., 1988)."""
    first, second = slow_components(one, truth), slow_components(other, truth)
    areas = [sum(each[0]) / len(each[0]) for each in (first, second)]
    variance = 0.0
    for i, left in ((-1, first), (1, second)):
        for j, right in ((-1, first), (1, second)):
            parts = (covariance(left[k], right[k]) / len(left[k]) for k in (0, 1))
            variance += i * j * sum(parts)
    return areas[1] - areas[0], variance


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_definition(seed: int, tied: bool) -> None:
    one, other, truth, patients = readers(60, seed, tied=tied)
    found = delong(one, other, truth, patients)
    difference, variance = by_definition(one, other, truth)
    assert found.difference == pytest.approx(difference, abs=1e-12)
    assert found.error**2 == pytest.approx(variance, rel=1e-10)
    once = np.ones((1, truth.size))
    for scores, area in ((one, found.reference), (other, found.other)):
        assert area == pytest.approx(metrics.auc(scores, truth, once)[0])
        wanted = slow_components(scores, truth)
        for fast, slow in zip(components(scores, truth), wanted, strict=True):
            assert np.allclose(fast, slow)
    # z and p of a normal distribution, by integrating its density
    z = abs(found.difference) / found.error
    grid = np.linspace(z, z + 12, 200_001)
    tail = np.trapezoid(np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi), grid)
    assert found.p == pytest.approx(2 * tail, rel=1e-6)


def clustered_by_definition(one, other, truth, patients) -> float:
    """The variance of Obuchowski (1997), sums over patients written out."""
    d = [np.subtract(b, a) for a, b in zip(
        slow_components(one, truth), slow_components(other, truth), strict=True
    )]  # fmt: skip
    owners = np.array(patients)
    area = float(d[0].mean())
    m, n = int(truth.sum()), int((~truth).sum())
    s10 = s01 = s11 = 0.0
    i10 = i01 = 0
    for name in sorted(set(patients)):
        own_yes, own_no = d[0][owners[truth] == name], d[1][owners[~truth] == name]
        yes, no = own_yes.sum() - len(own_yes) * area, own_no.sum() - len(own_no) * area
        i10, i01 = i10 + bool(len(own_yes)), i01 + bool(len(own_no))
        s10, s01, s11 = s10 + yes * yes, s01 + no * no, s11 + yes * no
    i = len(set(patients))
    s10, s01, s11 = s10 * i10 / (i10 - 1) / m, s01 * i01 / (i01 - 1) / n, s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


@pytest.mark.parametrize("seed", range(3))
def test_cases_of_one_patient_are_counted_together(seed: int) -> None:
    one, other, truth, patients = readers(30, seed, of=4)
    found = delong(one, other, truth, patients)
    wanted = clustered_by_definition(one, other, truth, patients)
    assert found.error**2 == pytest.approx(wanted, rel=1e-9)
    # the same cases ten times over, of the same patients, are no more evidence
    many = [np.repeat(each, 10) for each in (one, other, truth)]
    again = delong(*many, [p for p in patients for _ in range(10)])
    assert again.error == pytest.approx(found.error, rel=1e-9)
    alone = delong(*many, [str(i) for i in range(many[0].size)])
    assert alone.error < 0.5 * found.error


@pytest.mark.parametrize(("of", "seed"), [(1, 1), (1, 2), (5, 3)])
def test_it_agrees_with_a_paired_bootstrap_of_patients(of: int, seed: int) -> None:
    one, other, truth, patients = readers(200, seed, of=of)
    found = delong(one, other, truth, patients)

    def measure(weights):
        areas = [metrics.auc(scores, truth, weights) for scores in (one, other)]
        return {"difference": areas[1] - areas[0]}

    drawn = bootstrap(measure, patients, 2000)["difference"]
    assert found.difference == pytest.approx(drawn[0])
    assert found.error == pytest.approx(drawn[1:].std(), rel=0.1)


def test_it_is_right_about_as_often_as_it_says() -> None:
    """Two readers of equal strength: the interval covers 0 in 95 % of 400 repetitions."""
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        truth = np.arange(90) < 40
        shared = rng.normal(size=90)
        one, other = (1.0 * truth + shared + rng.normal(size=90) for _ in range(2))
        found = delong(one, other, truth, [str(i) for i in range(90)])
        covered += found.low <= 0 <= found.high
        assert (found.p >= 0.05) == (found.low <= 0 <= found.high)
    assert 368 <= covered <= 392


def test_what_is_not_defined_is_not_a_number() -> None:
    scores, truth = np.array([0.1, 0.2, 0.3]), np.array([True, True, True])
    found = delong(scores, scores, truth, ["a", "b", "c"])
    assert math.isnan(found.reference)
    assert math.isnan(found.low)
    truth = np.array([True, False, False])
    assert math.isnan(delong(scores, -scores, truth, ["a", "b", "c"]).error)
    truth = np.array([True, True, False, False])
    scores = np.array([3.0, 4.0, 1.0, 2.0])
    same = delong(scores, 2 * scores, truth, list("abcd"))
    assert (same.difference, same.error, same.p) == (0.0, 0.0, 1.0)
    opposite = delong(scores, -scores, truth, list("abcd"))
    assert opposite.difference == -1.0
    assert math.isnan(opposite.p)
