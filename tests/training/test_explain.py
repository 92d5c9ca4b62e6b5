"""Explanations, on squares: closed forms are gradients, and the figures tell good maps from bad."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pacs_ai.errors import ConfigError, DataError
from pacs_ai.model.gradcam import gradcam
from tests.training.toys import toy_world
from training.evaluate import evaluate
from training.explain import explain
from training.explain.faithfulness import (
    area_under_curve,
    blur,
    deletion_insertion,
    order_of,
    pointing_game,
    random_order,
)
from training.explain.feature_visualisation import choose_layers, maximise_activations
from training.explain.gradient import gradient_gradcam
from training.explain.saliency import cam, gradcam_plus_plus

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    evaluate(run, recipe, dataset, network)
    return run, recipe, dataset, network, explain(run, recipe, dataset, network)


@pytest.fixture(scope="module")
def random_network() -> keras.Model:
    keras.utils.set_random_seed(3)
    image = keras.Input((24, 24, 1))
    x = keras.layers.Conv2D(6, 5, activation="relu", name="last")(image)
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def gradients(network: keras.Model, x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    twin = keras.Model(network.input, [network.get_layer("last").output, network.output])
    with tf.GradientTape() as tape:
        features, logits = twin(x)
        logit = logits[0, k]
    return features.numpy()[0], tape.gradient(logit, features).numpy()[0]


def test_closed_forms_are_the_gradients(random_network: keras.Model) -> None:
    rng = np.random.default_rng(1)
    weights = random_network.layers[-1].kernel.numpy()
    explained = 0
    for _ in range(5):
        x = rng.uniform(-1, 1, (1, 24, 24, 1)).astype(np.float32)
        for k in range(3):
            features, g = gradients(random_network, x, k)
            closed = gradcam(features, weights[:, k])
            assert np.abs(closed - gradient_gradcam(random_network, x, k, "last")).max() <= 1e-4
            explained += bool(closed.any())
            alpha = g**2 / (2 * g**2 + (features.sum(axis=(0, 1)) * g**3) + 1e-30)
            channel = (alpha * np.maximum(g, 0)).sum(axis=(0, 1))
            wanted = np.maximum(features @ channel, 0)
            wanted /= wanted.max() or 1
            assert np.abs(gradcam_plus_plus(features, weights[:, k]) - wanted).max() <= 1e-4
    assert explained > 5


def test_cam_keeps_what_speaks_against_a_class() -> None:
    features = np.array([[[1.0, 0.0], [0.0, 1.0]]], dtype=np.float32)
    found = cam(features, np.array([1.0, -1.0], dtype=np.float32))
    assert found.tolist() == [[1.0, 0.0]]
    assert not cam(np.ones((2, 2, 2), np.float32), np.ones(2, np.float32)).any()


def test_the_pointing_game_by_hand() -> None:
    heat = np.zeros((4, 4), dtype=np.float32)
    heat[1, 2] = 1.0
    inside = np.zeros((4, 4), dtype=bool)
    inside[1, 2] = True
    found = pointing_game(heat, inside)
    assert (found.hit, found.inside, found.area) == (1.0, 1.0, 1 / 16)
    assert pointing_game(heat, ~inside).hit == 0.0
    assert pointing_game(np.zeros((4, 4), np.float32), inside).hit == 0.0


def test_taking_the_right_pixels_away_costs_most() -> None:
    x = np.zeros((8, 8, 1), dtype=np.float32)
    x[2, 3] = 1.0

    def answer(images: np.ndarray) -> np.ndarray:
        return images[:, 2, 3, 0]

    right = order_of(x[..., 0], 8, 8)
    gone, back = deletion_insertion(x, right, np.zeros_like(x), 8, answer)
    assert gone.tolist() == [1.0] + [0.0] * 8
    assert back.tolist() == [0.0] + [1.0] * 8
    assert area_under_curve(gone) == pytest.approx(1 / 16)
    late, _ = deletion_insertion(x, right[::-1], np.zeros_like(x), 8, answer)
    assert area_under_curve(late) > area_under_curve(gone)
    assert sorted(random_order(8, 8, 0).tolist()) == list(range(64))


def test_blur_keeps_flat_images_and_spreads_points() -> None:
    flat = np.full((9, 7, 1), 0.3, dtype=np.float32)
    assert np.allclose(blur(flat, 0.2), flat, atol=1e-6)
    dot = np.zeros((9, 9, 1), dtype=np.float32)
    dot[4, 4] = 1.0
    spread = blur(dot, 0.1)[..., 0]
    assert spread[4, 4] == spread.max() < 0.5
    assert np.allclose(spread, spread.T)


def test_maps_of_a_network_that_looks_at_squares_lie_on_squares(world) -> None:
    measured = world[-1]["measured"]
    by_chance = measured["pointing game and heat by chance"]["value"]
    assert by_chance == pytest.approx(1 / 16, abs=0.01)
    assert measured["pointing game, Grad-CAM"]["low"] > 5 * by_chance
    assert measured["deletion, Grad-CAM"]["value"] < measured["deletion, at random"]["value"]
    assert measured["insertion, Grad-CAM"]["value"] > measured["insertion, at random"]["value"]


def test_the_pictures_are_there_and_the_page_shows_them(world) -> None:
    run, recipe, _, _, _ = world
    names = {path.name for path in run.explain.iterdir()}
    assert {"explain.json", "explain.html", "class-0.png", "class-2.png"} <= names
    assert sum(name.startswith("overlay-") for name in names) == recipe.explanation.images
    sheet = np.asarray(Image.open(next(run.explain.glob("overlay-*.png"))))
    assert sheet.shape[2] == 3
    assert sheet.shape[1] > 3 * sheet.shape[0], "input, CAM, Grad-CAM, Grad-CAM++ side by side"
    page = (run.explain / "explain.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == sum(name.endswith(".png") for name in names)
    assert "http" not in page
    assert json.loads((run.explain / "explain.json").read_text())["measured"]


def test_the_same_run_is_explained_in_the_same_words(world) -> None:
    run, recipe, dataset, network, _ = world
    before = {path.name: path.read_bytes() for path in run.explain.iterdir()}
    explain(run, recipe, dataset, network)
    assert before == {path.name: path.read_bytes() for path in run.explain.iterdir()}


def test_the_maps_of_squares_depend_on_the_weights(world) -> None:
    run, *_, found = world
    sanity = found["sanity"]
    assert [each["step"] for each in sanity["steps"]] == ["logits", "squares"]
    assert sanity["depends"] is (sanity["steps"][-1]["rank_correlation"]["high"] < sanity["limit"])
    page = (run.explain / "explain.html").read_text(encoding="utf-8")
    assert sanity["verdict"].split(":")[0] in page
    assert np.asarray(Image.open(run.explain / "sanity.png")).ndim == 3


def test_a_class_likes_what_it_answers_to(world) -> None:
    _, recipe, _, network, _ = world
    awake = keras.models.clone_model(network)
    awake.set_weights(network.get_weights())
    kernel, _ = awake.get_layer("squares").get_weights()
    awake.get_layer("squares").set_weights([kernel, np.full(2, 0.5, dtype=np.float32)])
    drawn = maximise_activations(awake, (1, 2), recipe.input, 24)
    bright, dark = (picture.mean() for picture in drawn)
    assert bright > 150
    assert dark < 105


def test_layers_can_be_chosen_and_a_wrong_name_is_answered_with_the_right_ones(world) -> None:
    network = world[3]
    assert choose_layers(network, ["squares"]) == ["squares"]
    with pytest.raises(ConfigError, match="there are: squares"):
        choose_layers(network, ["no-such-layer"])


def test_a_run_is_evaluated_first(tmp_path: Path) -> None:
    run, recipe, dataset, network = toy_world(tmp_path)
    with pytest.raises(DataError, match="pacs-ai evaluate"):
        explain(run, recipe, dataset, network)
