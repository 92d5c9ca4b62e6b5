"""An ensemble is one network: mean of the logits, mean of the maps, served as any other."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from pacs_ai.errors import ConfigError
from pacs_ai.model.gradcam import gradcam
from training.bundle.convert import to_onnx
from training.bundle.export import in_float32
from training.evaluate.network import TrainedNetwork
from training.learn.train import load_network, load_served_network
from training.networks import build_network
from training.networks.ensemble import View, ensemble, views
from training.networks.weights import save_weights
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = pytest.mark.train

AXES = {(): (), (2,): (1,), (1,): (0,), (1, 2): (0, 1)}


@pytest.fixture(scope="module")
def members(small_recipe: Recipe) -> list[keras.Model]:
    found = []
    for seed in (1, 2, 3):
        keras.utils.set_random_seed(seed)
        found.append(build_network(small_recipe.input, small_recipe.network, 2))
    return found


@pytest.fixture(scope="module")
def images(small_recipe: Recipe) -> np.ndarray:
    spec = small_recipe.input
    rng = np.random.default_rng(5)
    return rng.uniform(-1, 1, (3, spec.height, spec.width, spec.channels)).astype(np.float32)


def test_views_are_those_that_the_recipe_permits() -> None:
    assert views(horizontal=False, vertical=False) == ((),)
    assert views(horizontal=True, vertical=False) == ((), (2,))
    assert views(horizontal=True, vertical=True) == ((), (2,), (1,), (1, 2))


@pytest.mark.parametrize("seen", [((),), views(horizontal=True, vertical=True)])
def test_one_graph_gives_the_means_of_its_members(
    seen: tuple[View, ...], members: list[keras.Model], images: np.ndarray, tmp_path: Path
) -> None:
    temperatures = (1.0, 2.0, 0.5)
    joint = ensemble(members, temperatures, seen)
    path = tmp_path / "joint.onnx"
    path.write_bytes(to_onnx(joint))
    session = onnxruntime.InferenceSession(path)
    weights = TrainedNetwork(joint).class_weights
    for x in images:
        logits, maps = [], []
        for member, temperature in zip(members, temperatures, strict=True):
            single = TrainedNetwork(member)
            for view in seen:
                mirrored = np.flip(x, AXES[view])
                found, features = single.predict(mirrored[None])
                logits.append(found[0] / temperature)
                heat = features[0] @ single.class_weights.T / temperature
                maps.append(np.flip(heat, AXES[view]))
        served_logits, served_features = session.run(["logits", "features"], {"image": x[None]})
        assert np.allclose(served_logits[0], np.mean(logits, axis=0), atol=1e-4)
        mean_map = np.maximum(np.mean(maps, axis=0), 0)
        for index in range(2):
            wanted = mean_map[..., index] / max(mean_map[..., index].max(), 1e-12)
            assert np.allclose(gradcam(served_features[0], weights[index]), wanted, atol=1e-3)


def test_the_views_of_a_recipe_are_served(
    small: Callable[..., Recipe], images: np.ndarray, tmp_path: Path
) -> None:
    recipe = small(evaluation={"views": "flips"})
    run = Run.create(recipe, tmp_path)
    save_weights(build_network(recipe.input, recipe.network, 2), run.best)
    served, single = load_served_network(run), load_network(run)
    mirrored = np.ascontiguousarray(images[:, :, ::-1])
    mean = (single.predict_on_batch(images) + single.predict_on_batch(mirrored)) / 2
    assert np.allclose(served.predict_on_batch(images), mean, atol=1e-5)
    assert np.allclose(served.predict_on_batch(mirrored), mean, atol=1e-5)


def test_flips_that_the_anatomy_forbids_are_refused(small: Callable[..., Recipe]) -> None:
    with pytest.raises(ConfigError, match="needs a flip"):
        small(evaluation={"views": "flips"}, augmentation={"flip_horizontal": False})


def test_views_are_served_in_float32(
    members: list[keras.Model], small_recipe: Recipe, images: np.ndarray
) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = build_network(small_recipe.input, small_recipe.network, 2)
        half.set_weights(members[0].get_weights())
        joint = ensemble([half], (1.0,), ((), (2,)))
    finally:
        keras.config.set_dtype_policy("float32")
    wanted = ensemble(members[:1], (1.0,), ((), (2,))).predict_on_batch(images)
    assert np.allclose(in_float32(joint).predict_on_batch(images), wanted, atol=1e-5)


def test_the_same_members_give_the_same_bytes(members: list[keras.Model]) -> None:
    first, second = (to_onnx(ensemble(members[:2], (1.0, 1.0))) for _ in range(2))
    assert first == second
