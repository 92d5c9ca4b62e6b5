import keras
import numpy as np
import pytest

from pacs_ai.errors import BundleInvalid
from training.augment import build_augmentation
from training.config import Recipe
from training.config_data import Augmentation
from training.model import FEATURES, build_network, load_weights, save_weights

pytestmark = pytest.mark.train


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (4, 128, 128, 1)).astype(np.float32)


def test_the_grid_of_features_lies_symmetrically_over_the_image(
    small_recipe: Recipe, x: np.ndarray
) -> None:
    # With kernels that do not change when mirrored, a mirrored image must give mirrored features;
    # one-sided padding would shift them.
    network = build_network(small_recipe.input, small_recipe.network, 2)
    network.set_weights(
        [
            np.broadcast_to(w.mean(axis=(0, 1)), w.shape) if w.ndim == 4 else w
            for w in network.get_weights()
        ]
    )
    twin = keras.Model(network.input, network.get_layer(FEATURES).output)
    for axis in (1, 2):
        mirrored = twin(np.flip(x, axis)).numpy()
        assert np.allclose(mirrored, np.flip(twin(x).numpy(), axis), atol=1e-5)


def test_weights_survive_the_disk(small_recipe: Recipe, x: np.ndarray, tmp_path) -> None:
    first, second = (build_network(small_recipe.input, small_recipe.network, 2) for _ in range(2))
    save_weights(first, tmp_path / "w.npz")
    load_weights(second, tmp_path / "w.npz")
    assert np.array_equal(first(x).numpy(), second(x).numpy())
    other = build_network(small_recipe.input, small_recipe.network, 3)
    with pytest.raises(BundleInvalid, match="weights"):
        load_weights(other, tmp_path / "w.npz")
    with pytest.raises(BundleInvalid, match="weights"):
        load_weights(second, tmp_path / "absent.npz")


def test_augmentation_varies_in_training_only(demo_recipe: Recipe, x: np.ndarray) -> None:
    augmentation = build_augmentation(demo_recipe.augmentation, seed=3)
    varied = augmentation(x, training=True).numpy()
    assert varied.shape == x.shape
    assert varied.min() >= -1.0
    assert varied.max() <= 1.0
    assert not np.allclose(varied, x)
    assert np.array_equal(augmentation(x, training=False).numpy(), x)


@pytest.mark.parametrize(
    "config",
    [
        Augmentation(flip_horizontal=True),
        Augmentation(flip_vertical=True),
        Augmentation(rotation_degrees=20),
        Augmentation(shift=0.2),
        Augmentation(zoom=0.2),
        Augmentation(contrast=0.3),
        Augmentation(brightness=0.3),
        Augmentation(noise=0.3),
    ],
)
def test_each_step_can_be_switched_on_alone(config: Augmentation, x: np.ndarray) -> None:
    varied = build_augmentation(config, seed=5)(np.repeat(x, 4, axis=0), training=True)
    assert not np.allclose(varied.numpy(), np.repeat(x, 4, axis=0))


def test_all_steps_off_changes_nothing(x: np.ndarray) -> None:
    same = build_augmentation(Augmentation(), seed=1)(x, training=True)
    assert np.array_equal(np.asarray(same), x)
