import json
from pathlib import Path

import keras
import numpy as np
import pytest

from training.config import Recipe
from training.dataset import load_images
from training.model import build_network
from training.train import EvenBatches, train

pytestmark = pytest.mark.train


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
    config = small_recipe.optimisation.model_copy(update={"images_per_epoch": 160, "batch": 16})
    batches = EvenBatches(images, config, classes=2)
    assert len(batches) == 10
    first = [batches[i] for i in range(10)]
    assert first[0][0].shape == (16, 128, 128, 1)
    drawn = np.bincount(batches._order, minlength=images.y.size)
    counts = [int(drawn[group].sum()) for group in images.groups()]
    assert max(counts) - min(counts) <= len(counts)
    batches.on_epoch_end()
    assert not all(np.array_equal(a[0], batches[i][0]) for i, a in enumerate(first))
