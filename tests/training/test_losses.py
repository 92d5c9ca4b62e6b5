import keras
import numpy as np
import pytest

from training.learn.losses import box_loss, class_loss, heat_inside
from training.learn.schedules import Schedule
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

LOGITS = np.array([[2.0, -1.0], [0.5, 0.0]], dtype=np.float32)
LABELS = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)


def cost(recipe: Recipe, y: np.ndarray = LABELS) -> float:
    return float(class_loss(recipe)(y, LOGITS))


def with_(recipe: Recipe, activation: str = "softmax", **optimisation: float) -> Recipe:
    return recipe.model_copy(
        update={
            "optimisation": recipe.optimisation.model_copy(
                update={"label_smoothing": 0.0, **optimisation}
            ),
            "release": recipe.release.model_copy(update={"activation": activation}),
        }
    )


def test_softmax_pays_the_logarithm_of_the_true_class(small_recipe: Recipe) -> None:
    powers = np.exp(LOGITS)
    chance = (powers / powers.sum(axis=1, keepdims=True))[LABELS == 1]
    assert cost(with_(small_recipe)) == pytest.approx(float(-np.log(chance).mean()), rel=1e-5)
    focal = float((-np.log(chance) * (1 - chance) ** 2).mean())
    assert cost(with_(small_recipe, focal_gamma=2.0)) == pytest.approx(focal, rel=1e-4)


def test_sigmoid_pays_for_each_class_by_itself(small_recipe: Recipe) -> None:
    both = np.array([[1.0, 1.0], [0.0, 0.0]], dtype=np.float32)
    chance = 1 / (1 + np.exp(-LOGITS))
    right = np.where(both == 1, chance, 1 - chance)
    sigmoid = with_(small_recipe, "sigmoid")
    assert cost(sigmoid, both) == pytest.approx(float(-np.log(right).mean()), rel=1e-5)
    focal = float((-np.log(right) * (1 - right) ** 2).mean())
    focused = with_(small_recipe, "sigmoid", focal_gamma=2.0)
    assert cost(focused, both) == pytest.approx(focal, rel=1e-4)


def test_smoothing_makes_certainty_cost_something(small_recipe: Recipe) -> None:
    sure = np.array([[30.0, -30.0]], dtype=np.float32)
    plain, smooth = (
        float(class_loss(with_(small_recipe, label_smoothing=share))(LABELS[:1], sure))
        for share in (0.0, 0.1)
    )
    assert plain < 1e-3 < smooth


def test_heat_outside_the_box_costs_and_an_image_without_one_is_free() -> None:
    boxed = np.array([[1.0], [1.0], [0.0]], dtype=np.float32)
    found = np.array([[0.9], [0.1], [0.0]], dtype=np.float32)
    inside, outside, free = np.asarray(box_loss(boxed, found))
    assert inside < outside
    assert free == 0.0


def test_heat_is_counted_where_the_box_is() -> None:
    inside = np.zeros((1, 16, 16, 1), dtype=np.float32)
    inside[0, :8, :8] = 1.0
    heat = np.full((1, 4, 4), -20.0, dtype=np.float32)
    heat[0, 1, 1] = 20.0
    assert float(heat_inside(keras.ops.convert_to_tensor(heat), inside)[0, 0]) > 0.99
    away = np.ascontiguousarray(heat[:, ::-1, ::-1])
    assert float(heat_inside(keras.ops.convert_to_tensor(away), inside)[0, 0]) < 0.01


@pytest.mark.parametrize("shape", ["constant", "cosine", "exponential"])
def test_the_rate_climbs_and_then_falls_as_named(shape: str) -> None:
    rate = [float(Schedule(1.0, 10, 110, shape)(step)) for step in range(0, 111, 5)]
    assert rate[0] == pytest.approx(0.1)
    assert rate[:3] == sorted(rate[:3])
    assert rate[2] == pytest.approx(1.0)
    assert rate[2:] == sorted(rate[2:], reverse=True)
    end = {"constant": 1.0, "cosine": 0.0, "exponential": 0.01}[shape]
    assert rate[-1] == pytest.approx(end, abs=1e-6)
    assert Schedule(**Schedule(1.0, 10, 110, shape).get_config()).shape == shape
