"""The contact sheet shows what the network sees: as it is, then as it is varied."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.test_pictures import CONSOLE, labelled, recipe_of
from training.data.build import build
from training.data.contact_sheet import contact_sheet
from training.recipe.data import Augmentation
from training.recipe.recipe import Recipe

COLUMNS, MARGIN, TITLE = 8, 4, 14


def tiles(recipe: Recipe, folder: Path, augmentation: Augmentation) -> np.ndarray:
    """Pictures of the sheet, shape (rows, columns, height, width, 3), without titles."""
    varied = recipe.model_copy(update={"augmentation": augmentation})
    contact_sheet(build(varied, CONSOLE).dataset.train, varied, folder / "sheet.png")
    height, width = recipe.input.height, recipe.input.width
    with Image.open(folder / "sheet.png") as sheet:
        whole = np.asarray(sheet)
    grid = whole.reshape(-1, height + MARGIN + TITLE, COLUMNS, width + MARGIN, 3)
    return grid.swapaxes(1, 2)[:, :, TITLE : TITLE + height, :width]


def test_each_row_is_one_image_and_its_variations(tmp_path: Path, demo_recipe: Recipe) -> None:
    pictures = tmp_path / "pictures"
    labelled(pictures)
    recipe = recipe_of(demo_recipe, pictures, labels=pictures / "labels.csv", patient_column="who")
    plain = tiles(recipe, tmp_path, Augmentation())
    assert all((row == row[0]).all() for row in plain)
    assert len({row[0].tobytes() for row in plain}) == len(plain)
    flipped = tiles(recipe, tmp_path, Augmentation(flip_horizontal=True))
    assert (flipped[:, 0] == plain[:, 0]).all()
    mirrored = flipped[:, 1:] == flipped[:, :1, :, ::-1]
    same = flipped[:, 1:] == flipped[:, :1]
    every = (2, 3, 4)
    assert (mirrored.all(axis=every) | same.all(axis=every)).all()
    assert mirrored.all(axis=every).any()
    assert same.all(axis=every).any()
