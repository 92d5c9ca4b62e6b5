"""The walk through a training run names files, functions and shapes that are there."""

import ast
import re
from pathlib import Path

import pytest

from training.data.feed import feed
from training.data.samples import Dataset
from training.data.store import load_store
from training.learn import batch_norm
from training.networks import build_network
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

PLACE = re.compile(r"\[`(training/[\w/]+\.py)`\]\(\.\./(training/[\w/]+\.py)\)\s+`(\w+)`")
STEPS = ("Download", "Dataset", "Preprocessing", "Batches", "Network", "Training", "Fine-tuning")
STEPS += ("Evaluation", "Explanation", "Export")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs" / "training-walkthrough.md").read_text(encoding="utf-8")


def defined(path: Path) -> set[str]:
    """Name the functions, classes and constants at the top of a module."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_every_named_file_has_the_function_named_with_it(page: str, root: Path) -> None:
    places = PLACE.findall(page)
    assert len(places) > 30
    assert page.count("[`training/") == len(places), "a file is named without a function"
    for shown, target, name in places:
        assert shown == target
        assert name in defined(root / shown), f"{shown} has no {name}"


def test_other_functions_that_are_named_are_somewhere_in_training(page: str, root: Path) -> None:
    everything = set().union(*(defined(path) for path in (root / "training").rglob("*.py")))
    for name in ("build_training_model", "compile_model", "plan_phases", "heat_inside", "box_loss"):
        assert f"`{name}`" in page
        assert name in everything
    for name in ("Store", "Sample", "Scores", "Recipe", "Run", "Pipeline", "Dataset"):
        assert f"`{name}" in page
        assert name in everything


def test_the_steps_are_told_in_the_order_of_the_pipeline(page: str) -> None:
    headings = [heading.rstrip(":,") for heading in re.findall(r"^## [1-9]\d*\. (\S+)", page, re.M)]
    assert headings == list(STEPS)


def test_it_is_read_in_one_sitting(page: str) -> None:
    assert len(page.split()) < 2000


def test_the_shapes_that_it_tells_are_those_of_the_phantom_run(
    page: str, demo_recipe: Recipe, dataset: Dataset
) -> None:
    network = build_network(demo_recipe.input, demo_recipe.network, len(demo_recipe.classes))
    rows = re.findall(r"^\| `?(\w+)`?[^|]* \| \(n, ([\d, ]+)\) \|$", page, re.MULTILINE)
    shapes = {name: tuple(map(int, numbers.split(","))) for name, numbers in rows}
    assert shapes.keys() == {"image", "features", "pooled", "logits"}
    for name, shape in shapes.items():
        assert network.get_layer(name).output.shape == (None, *shape), name

    store = load_store(dataset.train, demo_recipe.input, demo_recipe.feeding)
    assert "`Store.grey`, one split | (n, 128, 128) | float32 | [0, 1] |" in page
    assert store.grey.shape[1:] == (128, 128)
    assert store.grey.dtype == "float32"
    assert 0 <= store.grey.min() < store.grey.max() <= 1
    x, y = next(iter(feed(store, demo_recipe, training=True)))
    assert "`x` (32, 128, 128, 1) float32" in page
    assert "`x` has a second channel" in page
    assert x.shape == (32, 128, 128, 2)
    assert "`class` (32, 2) and `map` (32, 1)" in page
    assert {name: tuple(part.shape) for name, part in y.items()} == {
        "class": (32, 2),
        "map": (32, 1),
    }


def test_the_other_numbers_that_it_tells_are_those_of_the_recipe(
    page: str, demo_recipe: Recipe
) -> None:
    text, width = " ".join(page.split()), demo_recipe.network.stages[-1]
    assert f"batches of {demo_recipe.feeding.batch} images" in text
    assert f"for {demo_recipe.evaluation.resamples} bootstrap draws" in text
    assert f"`head.npy` ({width + 1}, {len(demo_recipe.classes)})" in text
    assert f"pooled features (n, {width}) of training images" in text
    assert demo_recipe.export.parity_limit == 1e-4
    assert "A relative difference above 1e-4 ends the export" in text
    assert demo_recipe.optimisation.checkpoint_seconds == 60
    assert "once a minute, the whole state" in text
    assert f"at most {batch_norm.IMAGES:,} training images without augmentation" in text
