"""Distances of samples, and how far they lie apart by chance."""

import numpy as np
import pytest

from pacs_ai.model.distances import ks_chance, ks_distance, ks_limit, psi


def test_the_distance_is_the_largest_step_between_the_samples() -> None:
    assert ks_distance([1, 2, 3], [4, 5]) == 1
    assert ks_distance([1, 2, 3, 4], [1, 2, 3, 4]) == 0
    assert ks_distance([1, 2, 3, 4], [2.5, 2.5, 2.5, 9]) == 0.5


@pytest.mark.parametrize(("first", "second"), [(3, 4), (5, 5), (6, 2)])
def test_the_chance_is_the_share_of_all_orders(first: int, second: int) -> None:
    """Every order of the two samples is tried."""
    places = first + second
    masks = [mask for mask in range(1 << places) if mask.bit_count() == first]
    found = []
    for mask in masks:
        mine = [place for place in range(places) if mask >> place & 1]
        found.append(ks_distance(mine, sorted(set(range(places)) - set(mine))))
    for distance in sorted(set(found)):
        share = sum(one >= distance - 1e-9 for one in found) / len(found)
        assert ks_chance(distance, first, second) == pytest.approx(share, abs=1e-12)


def test_the_limit_is_reached_no_oftener_than_allowed() -> None:
    for chance in (1e-2, 1e-4, 1e-7):
        for first, second in ((12, 75), (50, 200), (25, 30)):
            limit = ks_limit(chance, first, second)
            assert ks_chance(limit, first, second) <= chance
            assert ks_chance(limit - 0.1, first, second) > chance
    assert ks_limit(1e-9, 3, 3) == np.inf


def test_the_stability_index_grows_with_the_shift() -> None:
    rng = np.random.default_rng(1)
    expected = rng.normal(size=1000)
    found = [psi(expected, rng.normal(shift, size=1000)) for shift in (0.0, 0.3, 1.0)]
    assert found[0] < 0.05 < found[1] < 0.25 < found[2]
    assert psi(expected, expected) == pytest.approx(0, abs=1e-6)
    assert psi([1.0] * 30, [1.0] * 30) == 0
