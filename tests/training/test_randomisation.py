"""The sanity check: maps of random weights, and when it speaks of a map that ignores them."""

import keras
import numpy as np
import pytest

from training.explain.randomisation import (
    cascade,
    compare_with_random,
    randomise,
    rank_correlation,
    ssim,
)

pytestmark = pytest.mark.train


def network_of(blocks: int) -> keras.Model:
    """Make a network of random filters; without a block the last map is the image itself."""
    keras.utils.set_random_seed(blocks)
    image = keras.Input((32, 32, 1))
    x = image
    for number in range(blocks):
        x = keras.layers.Conv2D(8, 3, padding="same", name=f"block{number}_conv")(x)
        x = keras.layers.BatchNormalization(name=f"block{number}_norm")(x)
        x = keras.layers.Activation("relu", name=f"block{number}_relu")(x)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(3, name="logits")(pooled))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(2).uniform(size=(6, 32, 32, 1)).astype(np.float32)


def test_the_cascade_goes_from_the_head_to_the_image_in_few_steps() -> None:
    assert [step.name for step in cascade(network_of(2))] == ["logits", "block1", "block0"]
    steps = cascade(network_of(8))
    names = [step.name for step in steps]
    pairs = ["block7 to block6", "block5 to block4", "block3 to block2"]
    assert names == ["logits", *pairs, "block1", "block0"]
    named = [layer.name for step in steps for layer in step.layers]
    weighted = [layer.name for layer in network_of(8).layers if layer.weights]
    assert sorted(named) == sorted(weighted)


def test_all_weights_are_replaced_by_others_of_the_same_size() -> None:
    network = network_of(3)
    network.get_layer("block1_norm").set_weights(
        [np.linspace(0.5, 2, 8, dtype=np.float32) + k for k in range(4)]
    )
    before = [layer.get_weights() for layer in network.layers]
    for layer in network.layers:
        randomise(layer, np.random.default_rng(1))
    for layer, old in zip(network.layers, before, strict=True):
        for was, values in zip(old, layer.get_weights(), strict=True):
            if was.ndim > 1:
                sizes = [np.sqrt((each**2).mean()) for each in (was, values)]
                assert sizes[1] == pytest.approx(sizes[0], rel=0.4)
                assert np.corrcoef(was.ravel(), values.ravel())[0, 1] < 0.5
            else:
                assert sorted(values) == sorted(was)


def test_the_network_is_as_before_and_the_same_check_gives_the_same(images: np.ndarray) -> None:
    network = network_of(3)
    before = network.get_weights()
    first, maps = compare_with_random(network, images, [0, 1, 2, 0, 1, 2])
    second, _ = compare_with_random(network, images, [0, 1, 2, 0, 1, 2])
    assert first == second
    assert len(maps) == 1 + len(first) == 5
    for was, now in zip(before, network.get_weights(), strict=True):
        assert np.array_equal(was, now)


def test_a_map_that_no_weight_changes_is_recognised(images: np.ndarray) -> None:
    network = network_of(0)
    kernel, bias = network.get_layer("logits").get_weights()
    network.get_layer("logits").set_weights([np.abs(kernel) + 1, bias])
    (found,), _ = compare_with_random(network, images, [0, 1, 2, 0, 1, 2])
    assert found.step == "logits"
    # the map is the image, or nothing where the random weight of the class is negative
    assert set(np.round(found.rank_correlation, 6)) <= {0.0, 1.0}
    assert 1.0 in np.round(found.rank_correlation, 6)


def test_rank_correlation_and_similarity_by_hand() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.uniform(size=(2, 24, 24)).astype(np.float32)
    assert rank_correlation(one, one**3) == pytest.approx(1.0)
    assert rank_correlation(one, -one) == pytest.approx(-1.0)
    assert abs(rank_correlation(one, other)) < 0.15
    assert rank_correlation(one, np.zeros_like(one)) == 0.0
    tied = np.array([[1.0, 2.0, 2.0, 3.0]], dtype=np.float32)
    ranks = np.array([1, 2.5, 2.5, 4])
    again = np.array([[3.0, 1.0, 2.0, 4.0]], dtype=np.float32)
    wanted = np.corrcoef(ranks, [3, 1, 2, 4])[0, 1]
    assert rank_correlation(tied, again) == pytest.approx(wanted)
    assert ssim(one, one) == pytest.approx(1.0)
    assert ssim(one, other) < 0.2
    assert ssim(one, np.clip(one + 0.05, 0, 1)) > 0.9
    flat = np.full((24, 24), 0.5, dtype=np.float32)
    # of flat maps only the light counts: (2ab + c) / (a^2 + b^2 + c)
    wanted = (2 * 0.5 * 0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4)
    assert ssim(flat, flat / 2) == pytest.approx(wanted, rel=1e-6)
