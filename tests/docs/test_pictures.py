"""Every picture of the pages is there and is shown, and a command draws those of results anew."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.docs import browser_pictures
from tests.docs.pictures import MAKERS, beside, fitted, rows_of, write_pictures


def shown(root: Path) -> set[str]:
    pages = [root / "README.md", *(root / "docs").rglob("*.md")]
    text = "".join(page.read_text("utf-8") for page in pages)
    return set(re.findall(r"\]\([^)]*pictures/([^)]+)\.png\)", text))


def test_every_picture_is_shown_and_made_by_the_command(root: Path) -> None:
    there = {path.stem for path in (root / "docs" / "pictures").iterdir()}
    assert there == shown(root)
    made = {*MAKERS, *browser_pictures.MAKERS}
    assert len(made) == len(MAKERS) + len(browser_pictures.MAKERS)
    assert {name for name in there if not name.startswith("page-")} == made


def test_pictures_have_equal_distances() -> None:
    black, wide = np.zeros((100, 50, 3), np.uint8), np.zeros((50, 100, 3), np.uint8)
    row = beside([black, wide, black], 200)
    gaps = (row[0, :, 0] == 255).nonzero()[0]
    assert len(gaps) == 2 * 8
    assert (row == row[:1]).all()
    assert rows_of([black, wide, black], 2, 200).shape[1] == beside([black, wide], 200).shape[1]
    assert fitted(np.zeros((3000, 1500, 3), np.uint8), 1000).shape == (1000, 500, 3)
    assert fitted(black, 1000).shape == black.shape


@pytest.mark.slow
def test_the_command_draws_every_picture(tmp_path: Path) -> None:
    said = write_pictures(tmp_path, Classifier.load(load_bundle("demo"), 2))
    assert list(said) == list(MAKERS)
    for name, reason in said.items():
        assert not reason or (name == "result-pdf" and "pdftoppm" in reason)
        if not reason:
            picture = np.asarray(Image.open(tmp_path / f"{name}.png"))
            assert picture.std() > 10, name
            assert (np.ptp(picture.astype(int), axis=2) > 60).any() is not (
                name == "result-map-seg"
            ), name
