"""Random variation: what is switched on happens, what is not does not."""

import numpy as np
import pytest
import tensorflow as tf

from training.data.augment import augment
from training.recipe.data import Augmentation

pytestmark = pytest.mark.train

SIDE = 64


def cross() -> np.ndarray:
    """Four images of an upright arrow, off the centre."""
    x = np.full((4, SIDE, SIDE, 1), 0.2, dtype=np.float32)
    x[:, 10:50, 30:34] = 0.8
    x[:, 14:18, 34:44] = 0.8
    return x


def varied(x: np.ndarray, config: Augmentation, seed: int = 1, batch: int = 0) -> np.ndarray:
    return np.asarray(augment(tf.constant(x), None, config, seed, tf.constant(batch))[0])


def test_nothing_is_varied_by_default() -> None:
    assert np.array_equal(varied(cross(), Augmentation()), cross())


@pytest.mark.parametrize(
    ("config", "axis"),
    [
        (Augmentation(flip_horizontal=True), 2),
        (Augmentation(flip_vertical=True), 1),
    ],
)
def test_a_flip_mirrors_some_images_and_leaves_the_others(config: Augmentation, axis: int) -> None:
    x = np.concatenate([cross()] * 8)
    flipped = np.flip(x, axis=axis)
    out = varied(x, config)
    same = [np.allclose(a, b, atol=1e-5) for a, b in zip(out, x, strict=True)]
    mirrored = [np.allclose(a, b, atol=1e-5) for a, b in zip(out, flipped, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 0 < sum(mirrored) < len(x)


def test_movements_stay_within_their_limits() -> None:
    x = np.zeros((200, SIDE, SIDE, 1), dtype=np.float32)
    x[:, 31:33, 31:33] = 1.0
    shifted = varied(x, Augmentation(shift=0.2, fill="black"))
    places = [np.argwhere(image[..., 0] > 0.2).mean(axis=0) - 31.5 for image in shifted]
    reach = np.abs(np.array(places)).max(axis=0)
    assert (reach <= 0.2 * SIDE + 1).all()
    assert (reach > 0.15 * SIDE).all()
    line = np.zeros((200, SIDE, SIDE, 1), dtype=np.float32)
    line[:, 8:56, 31:33] = 1.0
    tilts = []
    for image in varied(line, Augmentation(rotation_degrees=20)):
        rows, columns = np.nonzero(image[..., 0] > 0.3)
        tilts.append(np.degrees(np.arctan(np.polyfit(rows, columns, 1)[0])))
    assert max(np.abs(tilts)) == pytest.approx(20, abs=1.5)


def test_what_comes_in_is_black_or_the_nearest() -> None:
    white = np.ones((32, SIDE, SIDE, 1), dtype=np.float32)
    assert np.allclose(varied(white, Augmentation(shift=0.2)), 1.0, atol=1e-5)
    black = varied(white, Augmentation(shift=0.2, fill="black"))
    assert (black.min(axis=(1, 2, 3)) < 0.01).sum() > 16


@pytest.mark.parametrize("step", ["contrast", "brightness", "gamma", "noise"])
def test_intensities_change_and_stay_in_range(step: str) -> None:
    out = varied(cross(), Augmentation(**{step: 0.5}))
    assert not np.allclose(out, cross(), atol=1e-3)
    assert out.min() >= 0.0
    assert out.max() <= 1.0


def test_the_same_seed_and_batch_vary_alike() -> None:
    config = Augmentation(rotation_degrees=20, noise=0.1)
    assert np.array_equal(varied(cross(), config), varied(cross(), config))
    assert not np.array_equal(varied(cross(), config), varied(cross(), config, batch=1))
    assert not np.array_equal(varied(cross(), config), varied(cross(), config, seed=2))


def test_the_box_moves_with_the_image_and_nothing_else() -> None:
    config = Augmentation(
        flip_horizontal=True, rotation_degrees=20, shift=0.2, zoom=0.2, contrast=0.3, noise=0.02
    )
    inside = np.zeros((64, SIDE, SIDE, 1), dtype=np.float32)
    inside[:, 20:36, 12:30] = 1.0
    grey, moved = augment(
        tf.constant(0.1 + 0.8 * inside), tf.constant(inside), config, 7, tf.constant(3)
    )
    assert set(np.unique(moved)) <= {0.0, 1.0}
    bright = np.asarray(grey) > 0.5
    marked = np.asarray(moved) > 0.5
    overlap = (bright & marked).sum(axis=(1, 2, 3)) / (bright | marked).sum(axis=(1, 2, 3))
    assert overlap.mean() > 0.9
