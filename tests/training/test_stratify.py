"""Each class is in each split, as far as there are patients for it, and always in the same way."""

import random

import pytest

from training.data.samples import SPLITS, TEST, TRAIN, VALIDATION
from training.data.split import stratify

SHARES = {TRAIN: 0.7, TEST: 0.15, VALIDATION: 0.15}


def drawn(counts: dict[int, int], salt: str = "") -> dict[tuple[int, str], int]:
    """Draw patients of one class each, and count them by class and split."""
    classes = {f"{c}-{i}": frozenset({c}) for c, count in counts.items() for i in range(count)}
    found = stratify(classes, SHARES, salt)
    return {
        (c, name): sum(found[unit] == name for unit, those in classes.items() if c in those)
        for c in counts
        for name in SPLITS
    }


@pytest.mark.parametrize("salt", ["", "a", "b", "c", "d"])
def test_a_rare_class_is_in_each_split(salt: str) -> None:
    found = drawn({0: 200, 1: 3, 2: 20, 3: 1, 4: 2}, salt)
    assert [found[1, name] for name in SPLITS] == [1, 1, 1]
    assert [found[2, name] for name in SPLITS] == [14, 3, 3]
    assert [found[0, name] for name in SPLITS] == [140, 30, 30]
    assert [found[3, name] for name in SPLITS] == [1, 0, 0]
    assert [found[4, name] for name in SPLITS] == [1, 0, 1]


@pytest.mark.parametrize("seed", range(20))
def test_patients_with_several_classes(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - test data
    classes = {
        f"patient {i}": frozenset(c for c in range(5) if rng.random() < 0.1 * (c + 1)) or {-1}
        for i in range(60)
    }
    found = stratify(classes, SHARES)
    for c in range(-1, 5):
        have = [found[unit] for unit, those in classes.items() if c in those]
        assert len(have) < 3 or set(have) == set(SPLITS), c
    again = stratify(dict(reversed(classes.items())), SHARES)
    assert again == found
    assert stratify(classes, SHARES, "salt") != found


def test_a_split_with_no_share_stays_empty() -> None:
    classes = {str(i): frozenset({i % 2}) for i in range(20)}
    shares = {TRAIN: 0.8, TEST: 0.0, VALIDATION: 0.2}
    found = list(stratify(classes, shares).values())
    assert [found.count(name) for name in SPLITS] == [16, 4, 0]
