import json
from pathlib import Path

import keras
import numpy as np
import pytest

from training.augment import build_augmentation
from training.config import Recipe
from training.dataset import load_images
from training.model import build_network
from training.train import EvenBatches, as_batch, missed, train

pytestmark = [pytest.mark.train, pytest.mark.timeout(240)]


def test_two_steps_on_eight_phantoms_repeat_exactly(
    phantoms: Path, small_recipe: Recipe, tmp_path: Path
) -> None:
    images = load_images(phantoms, small_recipe.input)
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(small_recipe.optimisation.seed)
        network = train(small_recipe, images, images, tmp_path)
        found.append(network.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    history = json.loads((tmp_path / "history.json").read_text())
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    keras.utils.set_random_seed(small_recipe.optimisation.seed)
    fresh = build_network(small_recipe.input, small_recipe.network, 2).get_weights()
    assert any(not np.array_equal(a, b) for a, b in zip(found[0], fresh, strict=True))


def test_batches_draw_evenly_and_anew(phantoms: Path, small_recipe: Recipe) -> None:
    images = load_images(phantoms, small_recipe.input)
    config = small_recipe.feeding.model_copy(update={"images_per_epoch": 160, "batch": 16})
    batches = EvenBatches(images, config, seed=7, classes=2)
    assert len(batches) == 10
    first = [batches[i] for i in range(10)]
    assert first[0][0].shape == (16, 128, 128, 2)
    boxed = [targets["map"][:, 0] == targets["class"][:, 1] for _, targets in first]
    assert np.all(boxed)  # every lesion has its box, and nothing else has one
    drawn = np.bincount(batches._order, minlength=images.y.size)
    counts = [int(drawn[group].sum()) for group in images.groups()]
    assert max(counts) - min(counts) <= len(counts)
    batches.on_epoch_end()
    assert not all(np.array_equal(a[0], batches[i][0]) for i, a in enumerate(first))


def test_the_second_channel_moves_with_the_picture(phantoms: Path, small_recipe: Recipe) -> None:
    images = load_images(phantoms, small_recipe.input)
    chosen = np.flatnonzero(images.y == 1)[:4]
    (pairs, _) = as_batch(images, chosen, np.eye(2, dtype=np.float32))
    marked = np.concatenate([pairs[..., 1:], pairs[..., 1:]], axis=-1)
    still = small_recipe.augmentation.model_copy(
        update={"contrast": 0.0, "brightness": 0.0, "noise": 0.0}
    )
    varied = np.asarray(build_augmentation(still, seed=3)(marked, training=True))
    assert not np.allclose(varied, marked)
    assert np.allclose(varied[..., 0], varied[..., 1])


def test_heat_outside_the_box_costs_and_an_image_without_one_is_free() -> None:
    boxed = np.array([[1.0], [1.0], [0.0]], dtype=np.float32)
    found = np.array([[0.9], [0.1], [0.0]], dtype=np.float32)
    inside, outside, free = np.asarray(missed(boxed, found))
    assert inside < outside
    assert free == 0.0
