"""The measurement of the shipped recipe: its draws of images, and its figures."""

import csv
import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.bench.evidence import CLASSES, FEW_IMAGES, Cases, chosen, recipe_of
from training.data.split_file import COLUMNS, SplitRow

pytestmark = pytest.mark.train


def write_split(run: Path) -> list[SplitRow]:
    """Write a split of 80 images for each class; every fifth is a test image."""
    rows = [
        SplitRow(f"training/{name}/{number}.jpg", split="train" if number % 5 else "test")
        for name in CLASSES
        for number in range(80)
    ]
    run.mkdir()
    with (run / "split.csv").open("w", newline="", encoding="utf-8") as file:
        table = [[getattr(row, column) for column in COLUMNS] for row in rows]
        csv.writer(file).writerows([COLUMNS, *table])
    return rows


def test_few_images_are_drawn_from_those_that_are_not_tested(tmp_path: Path) -> None:
    rows = write_split(tmp_path / "run")
    path = chosen(tmp_path / "run", tmp_path / "labels.csv", 40, seed=1)
    with path.open(newline="", encoding="utf-8") as file:
        drawn = list(csv.DictReader(file))
    assert Counter((row["split"], row["label"]) for row in drawn) == {
        (split, name): 10 if split == "train" else 16
        for name in CLASSES
        for split in ("train", "test")
    }
    split = {row.file: row.split for row in rows}
    assert all(split[row["file"]] == row["split"] for row in drawn)
    other = chosen(tmp_path / "run", tmp_path / "other.csv", 40, seed=2)
    assert other.read_text("utf-8") != path.read_text("utf-8")


def test_figures_are_means_over_the_networks() -> None:
    truth = np.array([0, 1, 2, 3])
    cases = Cases(truth, ["a", "b", "c", "d"], [truth, np.array([0, 0, 2, 3])])
    found = cases.figures(np.ones((1, 4)))
    assert found["accuracy"][0] == pytest.approx((1 + 0.75) / 2)
    assert found["macro F1"][0] == pytest.approx((1 + (2 / 3 + 0 + 1 + 1) / 4) / 2)


def test_the_recipe_is_the_shipped_one(tmp_path: Path) -> None:
    recipe = recipe_of(3, {"folder": tmp_path, "labels": tmp_path / "labels.csv"}, {})
    assert recipe.optimisation.seed == 3
    assert recipe.network.weights == "imagenet"
    assert recipe.finetune is not None
    assert recipe.scratch is not None
    assert recipe.starting_from(recipe.scratch, {"seed": 3}, "compared").network.weights == "none"


def test_what_is_measured_for_few_images_is_what_the_page_advises(
    root: Path, tmp_path: Path
) -> None:
    page = (root / "docs" / "training.md").read_text("utf-8")
    advice = page.partition("#### Few images")[2].partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(advice) == FEW_IMAGES
    data = {"folder": tmp_path, "labels": tmp_path / "labels.csv"}
    given, shipped = recipe_of(1, data, {}, FEW_IMAGES), recipe_of(1, data, {})
    assert given.finetune is not None
    assert given.finetune.epochs == 12
    assert given.augmentation.noise == 0.03
    assert given.augmentation.steps == shipped.augmentation.steps
    assert given.network == shipped.network
