"""Look-alikes are found exactly, however many images are alike."""

import numpy as np
import pytest

from training.data.fingerprint import COLUMNS, ROWS, Fingerprint, difference_hash, near_pairs


def prints(count: int, families: int, noise: int) -> list[Fingerprint]:
    """Draw thumbnails of a few families; members of one differ by noise."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (families, ROWS // 4, COLUMNS // 4))
    found = []
    for index in range(count):
        picture = np.kron(coarse[index % families], np.ones((4, 4)))
        picture += rng.normal(0, noise, picture.shape)
        small = np.clip(picture, 0, 255).astype(np.uint8)
        found.append(Fingerprint(str(index), difference_hash(small), small, 3))
    found[3] = Fingerprint("flat", 0, None, 1)
    return found


def edges(small: np.ndarray) -> np.ndarray:
    values = small.astype(np.float64)
    return np.concatenate([np.diff(values, axis=1).ravel(), np.diff(values, axis=0).ravel()])


@pytest.mark.parametrize(("families", "noise"), [(1, 18), (4, 10), (300, 10)])
def test_every_pair_is_found_and_no_other(families: int, noise: int) -> None:
    # more images than a block has rows, alike (one family) or not (as many families as images)
    shown = prints(300, families, noise)
    wanted = set()
    for i, first in enumerate(shown):
        for j in range(i + 1, len(shown)):
            second = shown[j]
            if first.thumbnail is None or second.thumbnail is None:
                continue
            bits = (first.dhash ^ second.dhash).bit_count()
            likeness = np.corrcoef(edges(first.thumbnail), edges(second.thumbnail))[0, 1]
            if bits <= 8 and likeness >= 0.6:
                wanted.add((i, j))
    found = list(near_pairs(shown, 8, 0.6))
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert bool(wanted) == (families < 300)


def test_of_one_image_there_is_no_pair() -> None:
    assert not list(near_pairs(prints(4, 4, 0)[:1], 8, 0.9))
