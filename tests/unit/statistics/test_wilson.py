from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.statistics.wilson import wilson

Z = NormalDist().inv_cdf(0.975)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_as_far_from_each_bound_as_its_error_there(counted: tuple[int, int]):
    """The equation that the interval is the solution of."""
    successes, cases = counted
    low, high = wilson(successes, cases)
    assert 0 <= low <= successes / cases <= high <= 1
    for bound in (low, high):
        error = Z * Z * bound * (1 - bound) / cases
        assert (successes / cases - bound) ** 2 == pytest.approx(error, abs=1e-12)


def test_some_values_from_the_literature():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_without_a_case_nothing_is_known():
    assert wilson(0, 0) == (0.0, 1.0)
