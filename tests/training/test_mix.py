"""MixUp and CutMix: images and labels are blended in the same proportion."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.toys import toy_recipe, toy_samples
from training.data.feed import feed
from training.data.mix import mix
from training.data.store import load_store
from training.learn.features import can_cache_features
from training.learn.losses import class_loss
from training.learn.metrics import metrics_of
from training.recipe.data import Augmentation, PictureData
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

COUNT, SIDE = 64, 32
BOTH = Augmentation(mixup=0.4, cutmix=1.0)


def numbered() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images whose grey value is their number, one label for each, and their weights."""
    grey = np.arange(COUNT, dtype=np.float32)[:, None, None, None] / COUNT
    return (
        np.broadcast_to(grey, (COUNT, SIDE, SIDE, 1)).copy(),
        np.eye(COUNT, dtype=np.float32),
        np.arange(COUNT, dtype=np.float32),
    )


def mixed(config: Augmentation, batch: int = 0, y: np.ndarray | None = None) -> list[np.ndarray]:
    grey, labels, weight = numbered()
    parts = mix(tf.constant(grey), tf.constant(labels if y is None else y), tf.constant(weight),
                config, 5, tf.constant(batch, tf.int64))  # fmt: skip
    return [np.asarray(part) for part in parts]


@pytest.mark.parametrize("config", [Augmentation(mixup=0.4), Augmentation(cutmix=1.0), BOTH])
def test_labels_and_weights_have_the_proportion_of_the_pixels(config: Augmentation) -> None:
    grey, y, weight = mixed(config)
    numbers = np.arange(COUNT)
    partner = (numbers - 1) % COUNT
    share = y[numbers, numbers]
    assert ((share >= 0.5) & (share <= 1.0)).all()
    assert 0.5 < share.min() < 0.6
    assert np.allclose(y.sum(axis=1), 1.0, atol=1e-6)
    assert np.allclose(y[numbers, partner], 1.0 - share, atol=1e-6)
    blended = (share * numbers + (1 - share) * partner) / COUNT
    assert np.allclose(grey.mean(axis=(1, 2, 3)), blended, atol=1e-4)
    assert np.allclose(weight, share * numbers + (1 - share) * partner, atol=1e-3)


def test_a_rectangle_is_of_the_other_image_and_whole() -> None:
    grey, y, _ = mixed(Augmentation(cutmix=1.0))
    for number, image in enumerate(grey[..., 0]):
        foreign = ~np.isclose(image, number / COUNT)
        assert np.allclose(image[foreign], ((number - 1) % COUNT) / COUNT)
        rows, columns = foreign.any(axis=1), foreign.any(axis=0)
        assert np.array_equal(foreign, rows[:, None] & columns[None])
        assert y[number, number] == pytest.approx(1 - foreign.mean(), abs=1e-6)


def test_with_both_some_images_are_blended_and_some_cut() -> None:
    kinds = [len(np.unique(image.round(5))) for image in mixed(BOTH)[0]]
    assert 10 < kinds.count(1) < COUNT - 10


def test_the_same_seed_and_batch_mix_alike() -> None:
    assert np.array_equal(mixed(BOTH)[0], mixed(BOTH)[0])
    assert not np.array_equal(mixed(BOTH)[0], mixed(BOTH, batch=1)[0])


def test_a_label_that_is_uncertain_in_one_image_is_left_out(small_recipe: Recipe) -> None:
    y = np.zeros((COUNT, 2), dtype=np.float32)
    y[:, 1] = 1.0
    y[4, 0] = -1.0
    labels = mixed(Augmentation(mixup=0.4), y=y)[1]
    assert np.flatnonzero(labels[:, 0] == -1).tolist() == [4, 5]
    assert (labels[:, 1] == 1.0).all()
    data = PictureData(source="pictures", folder=Path("x"))
    release = small_recipe.release.model_copy(update={"activation": "sigmoid"})
    recipe = small_recipe.model_copy(update={"data": data, "release": release})
    assert recipe.masks_labels
    logits = np.full_like(labels, 2.0)
    cost = class_loss(recipe).call(tf.constant(labels), tf.constant(logits))
    assert float(cost[4]) == pytest.approx(
        _cost(1.0, 2.0, recipe.optimisation.label_smoothing), rel=1e-4
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_loss_of_a_mixture_is_the_mixture_of_losses(
    small_recipe: Recipe, activation: str
) -> None:
    recipe = with_mixing(small_recipe, activation)
    loss = class_loss(recipe)
    logits = np.array([[1.5, -0.5]], dtype=np.float32)
    one, other = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    apart = 0.7 * float(loss(one, logits)) + 0.3 * float(loss(other, logits))
    assert float(loss(0.7 * one + 0.3 * other, logits)) == pytest.approx(apart, rel=1e-5)
    (accuracy,) = metrics_of(recipe)
    accuracy.update_state(0.7 * one + 0.3 * other, logits)
    assert float(accuracy.result()) == 1.0  # it counts as what it mostly is


def test_a_stream_of_mixed_images_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    recipe = with_mixing(toy_recipe(tmp_path), "softmax")
    store = load_store(toy_samples(tmp_path, 24, 3), recipe.input, recipe.feeding)
    whole = list(feed(store, recipe, training=True, seed=2).take(4))
    rest = list(feed(store, recipe, training=True, seed=2, skip=2).take(2))
    for (x, y), (again, labels) in zip(whole[2:], rest, strict=True):
        assert np.array_equal(x, again)
        assert np.array_equal(y, labels)
    assert any(0 < value < 1 for value in np.unique(whole[0][1]))
    plain = next(iter(feed(store, recipe, training=False)))
    assert set(np.unique(plain[1])) <= {0.0, 1.0}


def test_mixed_images_have_no_features_to_keep(small_recipe: Recipe) -> None:
    frozen = small_recipe.optimisation.model_copy(update={"base": "frozen", "map_weight": 0.0})
    still = small_recipe.model_copy(update={"optimisation": frozen, "augmentation": Augmentation()})
    assert can_cache_features(still)
    assert not can_cache_features(still.model_copy(update={"augmentation": BOTH}))


def with_mixing(recipe: Recipe, activation: str) -> Recipe:
    return recipe.model_copy(
        update={
            "augmentation": BOTH,
            "optimisation": recipe.optimisation.model_copy(
                update={"label_smoothing": 0.0, "map_weight": 0.0}
            ),
            "release": recipe.release.model_copy(update={"activation": activation}),
        }
    )


def _cost(truth: float, logit: float, smoothing: float) -> float:
    """Binary cross-entropy of one logit."""
    truth = truth * (1 - smoothing) + 0.5 * smoothing
    chance = 1 / (1 + np.exp(-logit))
    return float(-(truth * np.log(chance) + (1 - truth) * np.log(1 - chance)))
