"""A published split that leaks: what is known of it is found, and goes when it shall."""

import hashlib
from pathlib import Path

import pytest

from tests.training.test_pictures import CONSOLE, recipe_of
from training.data.build import build
from training.recipe.data import Split
from training.recipe.recipe import Recipe

pytestmark = pytest.mark.train

NAMES = {
    "no_tumor": "no finding",
    "glioma_tumor": "lesion",
    "meningioma_tumor": "lesion",
    "pituitary_tumor": "lesion",
}


def digests(paths: list[Path]) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_no_copy_of_a_test_image_stays_in_training(shared: Path, demo_recipe: Recipe) -> None:
    folder = shared / "data" / "labelled" / "brain-mri-4class"
    split = Split(by="given", group="near-duplicates", leakage="drop")
    table = {"labels": folder / "labels.csv", "split_column": "split"}
    built = build(recipe_of(demo_recipe, folder, split, names=NAMES, **table), CONSOLE)
    given = {
        name: digests(sorted((folder / name).rglob("*.jpg"))) for name in ("training", "testing")
    }
    train, test = set(given["training"].values()), set(given["testing"].values())
    assert len(given["testing"]) == len(built.dataset.test) == 394
    assert sum(digest in train for digest in given["testing"].values()) == 251
    training = given["training"]
    learnt, held = (
        {training[sample.path] for sample in built.dataset.split(name)}
        for name in ("train", "validation")
    )
    assert learnt
    assert held
    assert not test & (learnt | held)
    assert not learnt & held
    left_out = len(training) - len(built.dataset.train) - len(built.dataset.validation)
    copies = sum(digest in test for digest in training.values())
    assert copies <= left_out < 1.1 * copies  # and hardly any that only look alike
