"""A world in which everything is known: bright and dark squares on grey, and a network for them.

The network is not trained but written down: its first feature is bright squares, its second dark
ones. So its heat maps, its errors (faint squares) and its figures can be told beforehand.
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from PIL import Image

from training.data.samples import Dataset, Sample
from training.recipe.recipe import Recipe, load_recipe
from training.run.run import Run

SIDE, SQUARE = 32, 8
KINDS = ("empty", "bright", "dark")
_RECIPE = """
[data]
source = "pictures"
folder = "."
[input]
height = 32
width = 32
preprocess = "letterbox-v1"
modalities = ["OT"]
max_images = 8
[network]
architecture = "small-resnet"
stem = 2
stages = [2]
blocks = 1
halvings = 0
[evaluation]
resamples = 200
smallest_group = 4
subgroups = ["maker", "sex"]
worst = 4
[explanation]
images = 4
channels = 2
steps = 6
curve_images = 6
curve_steps = 4
[release]
name = "toy"
version = "1"
manufacturer = "tests"
description = "Squares."
activation = "{activation}"
"""
_CLASS = """
[[classes]]
name = "{name}"
positive = {positive}
threshold = 0.5
code = {{ value = "{name}", scheme = "99PACSAI", meaning = "{name}" }}
"""


def toy_recipe(folder: Path, names: tuple[str, ...] = KINDS, activation: str = "softmax") -> Recipe:
    """Ask which kind of square (softmax), or whether each is there (sigmoid)."""
    text = _RECIPE.format(activation=activation)
    for name in names:
        text += _CLASS.format(name=name, positive="false" if name == "empty" else "true")
    path = folder / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return load_recipe(path)


def toy_network(recipe: Recipe) -> keras.Model:
    """Write down the network that sees squares; a faint one it takes for nothing."""
    names = [entry.name for entry in recipe.classes]
    image = keras.Input((SIDE, SIDE, 1), name="image")
    x = keras.layers.Conv2D(2, SQUARE, padding="same", activation="relu", name="squares")(image)
    pooled = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(len(names), name="logits")(pooled))
    kernel = np.full((SQUARE, SQUARE, 1, 2), 1 / SQUARE**2, dtype=np.float32)
    kernel[..., 1] *= -1
    model.get_layer("squares").set_weights([kernel, np.array([-0.2, -0.2], dtype=np.float32)])
    head, bias = np.zeros((2, len(names))), np.zeros(len(names))
    softmax = recipe.release.activation == "softmax"
    for column, name in enumerate(names):
        if name != "empty":
            head[KINDS.index(name) - 1, column] = 400.0
            bias[column] = -3.0 if softmax else -2.0
    model.get_layer("logits").set_weights([head.astype(np.float32), bias.astype(np.float32)])
    return model


def see_squares(network: keras.Model) -> None:
    """Write down what the recipe's own network needs to see squares: its stem, nothing above it."""
    for layer in network.layers:
        layer.set_weights([np.zeros_like(array) for array in layer.get_weights()])
    kernel = np.full((4, 4, 1, 2), 1 / 16, dtype=np.float32)
    kernel[..., 1] *= -1
    network.get_layer("stem_conv").set_weights([kernel])
    one, none = np.ones(2), np.zeros(2)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([one, none, none, one])
    # Grey is 0, a clear square 0.7 and more away from it, the noise of 16 pixels 0.024.
    network.get_layer("stem_bn").set_weights([one, none, 0.4 * one, one])
    head = np.array([[0, 400, 0], [0, 0, 400]], dtype=np.float32)
    network.get_layer("logits").set_weights([head, np.array([0, -3, -3], dtype=np.float32)])


def toy_samples(
    folder: Path, n: int, seed: int, names: tuple[str, ...] = KINDS, noise: float = 12
) -> tuple[Sample, ...]:
    """Draw pictures, two to a study, one study a patient; every second study holds a square."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(n):
        study = index // 2
        kind = KINDS[study % 3] if "dark" in names else KINDS[study % 2]
        picture = rng.normal(128, noise, (SIDE, SIDE))
        box = None
        if kind != "empty":
            x, y = rng.integers(4, SIDE - SQUARE - 4, 2)
            strength = rng.choice([110, 90, 20]) * (1 if kind == "bright" else -1)
            picture[y : y + SQUARE, x : x + SQUARE] += strength
            box = (float(x), float(y), float(x + SQUARE), float(y + SQUARE))
        path = folder / f"{index:03d}.png"
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)
        labels = (names.index(kind),) if kind in names else ()
        groups = {"maker": ("Alpha", "Beta")[study % 4 // 2], "sex": "FM"[study % 5 % 2]}
        samples.append(
            Sample(
                path=path,
                patient=f"patient {seed} {study}",
                labels=labels,
                box=box,
                study=f"1.{seed}.{study}",
                instance=f"1.{seed}.{study}.{index}",
                groups=groups,
            )
        )
    return tuple(samples)


def toy_world(
    folder: Path, names: tuple[str, ...] = KINDS, activation: str = "softmax"
) -> tuple[Run, Recipe, Dataset, keras.Model]:
    """Make all that a judge needs."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = toy_recipe(folder, names, activation)
    run = Run.create(recipe, folder / "run")
    train, validation, test = (
        toy_samples(folder / name, n, seed, names)
        for name, n, seed in (("train", 48, 1), ("validation", 60, 2), ("test", 72, 3))
    )
    dataset = Dataset(names, train, validation, test, notes=("1 file <left out>",))
    return run, recipe, dataset, toy_network(recipe)


def as_test(samples: tuple[Sample, ...], names: tuple[str, ...] = KINDS) -> Dataset:
    """Make other data of samples: all of them are in the test split."""
    return Dataset(names, (), (), samples)


def with_votes(samples: tuple[Sample, ...], raters: int) -> tuple[Sample, ...]:
    """Let annotators vote: each is wrong about every so many images."""
    return tuple(
        replace(s, votes=tuple((s.labels[0] + (i % (7 + r) == 0)) % 3 for r in range(raters)))
        for i, s in enumerate(samples)
    )
